// Above a list of clients: search, order, and how many of them are shown.

import { Field } from "../ui/field.tsx";
import { Input } from "../ui/input.tsx";
import { Select } from "../ui/select.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import type { Order } from "./clients.ts";
import { words } from "./words.ts";

interface ClientToolsProps {
  readonly search: string;
  readonly onSearch: (search: string) => void;
  readonly order: Order;
  readonly onOrder: (order: Order) => void;
  readonly orders: readonly Order[];
  readonly shown: number;
  readonly all: number;
  /** More than the device tells of. */
  readonly leftOut: number;
}

export function ClientTools({ search, onSearch, order, onOrder, orders, shown, all, leftOut }: ClientToolsProps) {
  const text = useText(words);
  const format = useFormat();
  return (
    <>
      <div class="dev-tools">
        <Field label={text("search")}>
          <Input type="search" value={search} onInput={onSearch} />
        </Field>
        <Field label={text("sort")}>
          <Select value={order} onChange={onOrder} options={orders.map((value) => ({ value, label: text(`by_${value}`) }))} />
        </Field>
      </div>
      <p class="dev-count" role="status">
        {text("shown_of", { shown: format.count(shown), n: all })}
        {leftOut > 0 && ` ${text("left_out", { n: leftOut })}`}
      </p>
    </>
  );
}
