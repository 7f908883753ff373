// A list of single values: one line each.

import { Button } from "../ui/button.tsx";
import { Field as Labelled } from "../ui/field.tsx";
import { Icon } from "../ui/icon.tsx";
import { useText } from "../words/catalogue.ts";
import { blankOf, moveItem } from "./edit-document.ts";
import { useForm } from "./form-context.ts";
import { formatPath, isList, type Path } from "./json.ts";
import { ListButtons } from "./list-buttons.tsx";
import { Control } from "./scalar.tsx";
import { DefaultLine, FaultLines, nameOf, SettingName, useFaultWords } from "./setting-words.tsx";
import type { Field, Shape } from "./shape.ts";
import { words } from "./words.ts";

interface ValueListProps {
  readonly path: Path;
  readonly field: Field;
  readonly shape: Extract<Shape, { kind: "list" }>;
}

export function ValueList({ path, field, shape }: ValueListProps) {
  const form = useForm();
  const text = useText(words);
  const say = useFaultWords();
  const value = form.value(path);
  const items = isList(value) ? value : [];
  const lock = form.lockOf(path);
  const isDisabled = lock !== undefined;
  const name = nameOf(field.key);
  return (
    <fieldset class="set-values">
      <legend>
        <SettingName path={path} field={field} />
      </legend>
      {field.help !== "" && <p class="field-help">{field.help}</p>}
      <FaultLines path={path} />
      {lock !== undefined && (
        <p class="field-locked">
          <Icon name="lock" /> {text("locked", { variable: lock })}
        </p>
      )}
      {items.length === 0 && <p class="set-none">{text("empty_list")}</p>}
      {items.map((item, i) => {
        const place = [...path, i];
        const faults = form.faultsAt(place).map(say);
        const label = text("item", { name, n: i + 1 });
        return (
          <div class="set-value" id={`set-${formatPath(place)}`} key={i}>
            <Labelled
              label={<span class="visually-hidden">{label}</span>}
              {...(faults.length === 0 ? {} : { fault: faults.join(" ") })}
            >
              <Control
                name={label}
                shape={shape.item}
                value={item}
                canBeUnset={false}
                isDisabled={isDisabled}
                onChange={(next) => form.set(place, next ?? "")}
              />
            </Labelled>
            <ListButtons
              name={typeof item === "string" && item !== "" ? item : label}
              index={i}
              count={items.length}
              canRemove={items.length > shape.min}
              isDisabled={isDisabled}
              onMove={(to) => form.set(path, moveItem(items, i, to))}
              onRemove={() => form.set(path, items.toSpliced(i, 1))}
            />
          </div>
        );
      })}
      <Button
        icon="add"
        disabled={isDisabled || items.length >= shape.max}
        onClick={() => form.set(path, [...items, blankOf(shape.item)])}
      >
        {text("add", { name })}
      </Button>
      <DefaultLine path={path} field={field} />
    </fieldset>
  );
}
