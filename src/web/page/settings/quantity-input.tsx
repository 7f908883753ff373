// A number and its unit. The unit stays where it was chosen while the number is typed anew.

import { useState } from "preact/hooks";
import { Input } from "../ui/input.tsx";
import { useText } from "../words/catalogue.ts";
import { formatQuantity, parseQuantity, type Unit, unitsOf } from "./quantity.ts";
import { words } from "./words.ts";

interface QuantityInputProps {
  readonly name: string;
  readonly of: "duration" | "size";
  readonly value: string;
  readonly placeholder: string;
  readonly isDisabled: boolean;
  readonly onChange: (value: string) => void;
}

export function QuantityInput({ name, of, value, placeholder, isDisabled, onChange }: QuantityInputProps) {
  const text = useText(words);
  const [last, setLast] = useState<Unit>(of === "duration" ? "s" : "MiB");
  const { count, unit } = parseQuantity(value, of, last);
  const unitName = (each: Unit) =>
    each === "ms" || each === "s" || each === "m" || each === "h" || each === "d" ? text(each) : each;
  return (
    <div class="set-quantity">
      <Input
        value={count}
        inputMode="numeric"
        placeholder={placeholder}
        isDisabled={isDisabled}
        onInput={(typed) => {
          setLast(unit);
          onChange(formatQuantity({ count: typed, unit }));
        }}
      />
      {/* Not the field's own control: it has a name of its own. */}
      <select
        aria-label={text("unit", { name })}
        value={unit}
        disabled={isDisabled}
        onChange={(event) => {
          const chosen = event.currentTarget.value as Unit;
          setLast(chosen);
          onChange(formatQuantity({ count, unit: chosen }));
        }}
      >
        {unitsOf(of).map((each) => (
          <option key={each} value={each} selected={each === unit}>
            {unitName(each)}
          </option>
        ))}
      </select>
    </div>
  );
}
