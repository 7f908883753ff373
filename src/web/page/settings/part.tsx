// A setting that can be off: a switch, and behind it what it is when it is on. Off is written as null, which differs from "not written"
// where the default is on.

import { Switch } from "../ui/switch.tsx";
import { useText } from "../words/catalogue.ts";
import { blankOf, reshaped } from "./edit-document.ts";
import { useForm } from "./form-context.ts";
import type { Path } from "./json.ts";
import { usePieces } from "./pieces.ts";
import { Scalar } from "./scalar.tsx";
import { FaultBadge, Fields, SectionHead } from "./section.tsx";
import { nameOf } from "./setting-words.tsx";
import { type Field, isPlain, type Shape } from "./shape.ts";
import { words } from "./words.ts";

interface PartProps {
  readonly path: Path;
  readonly field: Field;
  readonly inner: Shape;
  readonly level: number;
}

export function Part({ path, field, inner, level }: PartProps) {
  const form = useForm();
  const { Shaped } = usePieces();
  const text = useText(words);
  const value = form.value(path);
  const isOn = value !== null && value !== undefined;
  const lock = form.lockOf(path);
  const isOnByDefault = field.fallback !== null && field.fallback !== undefined;
  const turn = (on: boolean) => {
    if (on === isOnByDefault) form.reset(path);
    else form.set(path, on ? startOf(inner) : null);
    // A null that was written where "off" is the default anyway goes too; a default that is on comes back.
    if (!on && !isOnByDefault && form.isWritten(path)) form.reset(path);
  };
  // A list that is off is no empty list: "allow", not set, allows everything.
  const word = inner.kind === "list" ? "not_set" : "off";
  const bare: Field = { ...field, help: "", fallback: undefined };
  return (
    <div class={`set-part ${isPlain(inner) ? "" : "set-section"}`}>
      <SectionHead path={path} field={field} level={level} />
      <div class="set-part-switch">
        <Switch
          checked={isOn}
          isDisabled={lock !== undefined}
          label={`${nameOf(field.key)}: ${text(isOn ? "on" : word)}`}
          onChange={turn}
        />
        {!isOn && <FaultBadge path={path} />}
      </div>
      {lock !== undefined && <p class="field-locked">{text("locked", { variable: lock })}</p>}
      {isOn && inner.kind === "object" && <Fields path={path} shape={inner} level={level + 1} />}
      {isOn && isPlain(inner) && (
        <div class="set-bare">
          <Scalar path={path} field={{ ...bare, fallback: field.fallback }} shape={inner} canBeUnset={false} />
        </div>
      )}
      {isOn && inner.kind !== "object" && !isPlain(inner) && <Shaped path={path} field={bare} shape={inner} level={level} />}
    </div>
  );
}

function startOf(inner: Shape): ReturnType<typeof blankOf> {
  return inner.kind === "flag" ? reshaped(undefined, inner) : blankOf(inner);
}
