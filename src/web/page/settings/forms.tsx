// A setting with more than one form: which one, and that one below.

import { Select } from "../ui/select.tsx";
import { useText } from "../words/catalogue.ts";
import { reshaped } from "./edit-document.ts";
import { useForm } from "./form-context.ts";
import type { Path } from "./json.ts";
import { usePieces } from "./pieces.ts";
import { Scalar } from "./scalar.tsx";
import { Fields, SectionHead } from "./section.tsx";
import { nameOf } from "./setting-words.tsx";
import { type Field, formOf, isPlain, type Shape } from "./shape.ts";
import { words } from "./words.ts";

interface FormsProps {
  readonly path: Path;
  readonly field: Field;
  readonly shape: Extract<Shape, { kind: "union" }>;
  readonly level: number;
}

export function Forms({ path, field, shape, level }: FormsProps) {
  const form = useForm();
  const { Shaped } = usePieces();
  const text = useText(words);
  const value = form.value(path);
  const at = Math.max(0, formOf(shape.forms, value));
  const chosen = shape.forms[at] ?? { kind: "other" };
  const name = nameOf(field.key);
  const lock = form.lockOf(path);
  const bare: Field = { ...field, help: "" };
  return (
    <div class="set-section">
      <SectionHead path={path} field={field} level={level} />
      <Select
        label={text("kind", { name })}
        value={String(at)}
        isDisabled={lock !== undefined}
        options={shape.forms.map((each, i) => ({ value: String(i), label: text(formWord(each)) }))}
        onChange={(next) => form.set(path, reshaped(value, shape.forms[Number(next)] ?? chosen))}
      />
      {chosen.kind === "object" && <Fields path={path} shape={chosen} level={level + 1} />}
      {isPlain(chosen) && (
        <div class="set-bare">
          <Scalar path={path} field={bare} shape={chosen} canBeUnset={false} />
        </div>
      )}
      {chosen.kind !== "object" && !isPlain(chosen) && <Shaped path={path} field={bare} shape={chosen} level={level} />}
    </div>
  );
}

function formWord({ kind }: Shape): keyof typeof words {
  switch (kind) {
    case "choice":
      return "form_choice";
    case "list":
      return "form_list";
    case "flag":
      return "form_flag";
    case "number":
      return "form_number";
    case "object":
      return "form_object";
    default:
      return "form_text";
  }
}
