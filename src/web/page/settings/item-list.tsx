// A list of objects: each in a box of its own that folds, named by what tells it apart.

import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { useText } from "../words/catalogue.ts";
import { bare, blankOf, moveItem } from "./edit-document.ts";
import { useFolded, useForm } from "./form-context.ts";
import { formatPath, isList, isObject, type Json, type Path } from "./json.ts";
import { ListButtons } from "./list-buttons.tsx";
import { usePieces } from "./pieces.ts";
import { FaultBadge, Fields, SectionHead } from "./section.tsx";
import { FaultLines, nameOf } from "./setting-words.tsx";
import type { Field, Shape } from "./shape.ts";
import { words } from "./words.ts";

interface ItemListProps {
  readonly path: Path;
  readonly field: Field;
  readonly shape: Extract<Shape, { kind: "list" }>;
  readonly level: number;
}

export function ItemList({ path, field, shape, level }: ItemListProps) {
  const form = useForm();
  const text = useText(words);
  const value = form.value(path);
  const items = isList(value) ? value : [];
  const lock = form.lockOf(path);
  const name = nameOf(field.key);
  return (
    <div class="set-items">
      <SectionHead path={path} field={field} level={level} />
      {lock !== undefined && (
        <p class="field-locked">
          <Icon name="lock" /> {text("locked", { variable: lock })}
        </p>
      )}
      {items.length === 0 && <p class="set-none">{text("empty_list")}</p>}
      {items.map((item, i) => (
        <Item
          key={i}
          path={[...path, i]}
          field={field}
          shape={bare(shape.item, item)}
          level={level + 1}
          item={item}
          index={i}
          count={items.length}
          canRemove={items.length > shape.min && lock === undefined}
          onMove={(to) => form.set(path, moveItem(items, i, to))}
          onRemove={() => form.set(path, items.toSpliced(i, 1))}
        />
      ))}
      <Button
        icon="add"
        disabled={lock !== undefined || items.length >= shape.max}
        onClick={() => form.set(path, [...items, blankOf(shape.item)])}
      >
        {text("add", { name })}
      </Button>
    </div>
  );
}

interface ItemProps {
  readonly path: Path;
  readonly field: Field;
  readonly shape: Shape;
  readonly level: number;
  readonly item: Json;
  readonly index: number;
  readonly count: number;
  readonly canRemove: boolean;
  readonly onMove: (to: number) => void;
  readonly onRemove: () => void;
}

function Item({ path, field, shape, level, item, index, count, canRemove, onMove, onRemove }: ItemProps) {
  const form = useForm();
  const { Shaped } = usePieces();
  const text = useText(words);
  // What was just added, or stands alone, is open.
  const [isOpen, setOpen] = useFolded(path, count === 1 || form.isChanged(path));
  const title = titleOf(item) ?? text("item", { name: nameOf(field.key), n: index + 1 });
  return (
    <div class="set-item" id={`set-${formatPath(path)}`}>
      <div class="set-item-head">
        <button type="button" class="set-fold" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          <Icon name={isOpen ? "down" : "next"} /> <span class="set-item-title">{title}</span>
        </button>
        <FaultBadge path={path} />
        <ListButtons
          name={title}
          index={index}
          count={count}
          canRemove={canRemove}
          isDisabled={form.lockOf(path) !== undefined}
          onMove={onMove}
          onRemove={onRemove}
        />
      </div>
      {isOpen && (
        <div class="set-item-body">
          <FaultLines path={path} />
          {shape.kind === "object" ? (
            <Fields path={path} shape={shape} level={level} />
          ) : (
            <Shaped path={path} field={{ ...field, help: "", fallback: undefined }} shape={shape} level={level} />
          )}
        </div>
      )}
    </div>
  );
}

const TITLE_CHARS_MAX = 60;

/** What tells an item apart. */
function titleOf(item: Json): string | undefined {
  if (typeof item === "string" && item !== "") return item;
  if (!isObject(item)) return undefined;
  for (const key of ["name", "urls", "subjects", "user", "nkey", "port", "unit"]) {
    const value = item[key];
    const shown = isList(value) ? value.filter((each) => typeof each === "string" && each !== "").join(", ") : value;
    if (typeof shown === "string" && shown !== "")
      return shown.length <= TITLE_CHARS_MAX ? shown : `${shown.slice(0, TITLE_CHARS_MAX)}…`;
    if (typeof shown === "number") return `${key} ${shown}`;
  }
  return undefined;
}
