// One value in one control. What is typed goes into the document as it is, even where it is wrong: the device says what it wants.

import { Field as Labelled } from "../ui/field.tsx";
import { Input } from "../ui/input.tsx";
import { Select } from "../ui/select.tsx";
import { Switch } from "../ui/switch.tsx";
import { Textarea } from "../ui/textarea.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { FilePathInput, isFilePath } from "./file-path-input.tsx";
import { useForm } from "./form-context.ts";
import type { Json, Path } from "./json.ts";
import { readJson } from "./json-text.ts";
import { QuantityInput } from "./quantity-input.tsx";
import { SecretInput } from "./secret-input.tsx";
import { DefaultLine, nameOf, SettingName, useFaultWords } from "./setting-words.tsx";
import type { Field, Shape } from "./shape.ts";
import { words } from "./words.ts";

interface ScalarProps {
  readonly path: Path;
  readonly field: Field;
  readonly shape: Shape;
  /** Nothing, null and empty are the same to it. */
  readonly canBeUnset: boolean;
}

export function Scalar({ path, field, shape, canBeUnset }: ScalarProps) {
  const form = useForm();
  const text = useText(words);
  const say = useFaultWords();
  const { count } = useFormat();
  const faults = form.faultsAt(path).map(say);
  const lock = form.lockOf(path);
  const range =
    shape.kind === "number" && shape.min !== undefined && shape.max !== undefined
      ? ` (${count(shape.min)} – ${count(shape.max)})`
      : "";
  const hint = shape.kind === "text" && field.shape.kind === "nullable" && shape.hint !== "" ? ` (${shape.hint})` : "";
  return (
    <>
      <Labelled
        label={<SettingName path={path} field={field} />}
        help={`${field.help}${range}${hint}`}
        {...(faults.length === 0 ? {} : { fault: faults.join(" ") })}
        {...(lock === undefined ? {} : { locked: text("locked", { variable: lock }) })}
      >
        <Control
          name={nameOf(field.key)}
          shape={shape}
          value={form.value(path)}
          canBeUnset={canBeUnset}
          isDisabled={lock !== undefined}
          isFile={isFilePath(field.key)}
          onChange={(value) => (value === undefined ? form.reset(path) : form.set(path, value))}
        />
      </Labelled>
      <DefaultLine path={path} field={field} />
    </>
  );
}

interface ControlProps {
  readonly name: string;
  readonly shape: Shape;
  readonly value: Json | undefined;
  readonly canBeUnset: boolean;
  readonly isDisabled: boolean;
  /** The path of a file on the device. */
  readonly isFile?: boolean;
  /** undefined: as if it had never been written. */
  readonly onChange: (value: Json | undefined) => void;
}

export function Control({ name, shape, value, canBeUnset, isDisabled, isFile = false, onChange }: ControlProps) {
  const text = useText(words);
  const shown = value === null || value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);
  const unset = (typed: string): Json | undefined => (typed === "" && canBeUnset ? undefined : typed);
  const empty = canBeUnset ? { placeholder: text("not_set") } : {};
  switch (shape.kind) {
    case "flag":
      if (!canBeUnset) return <Switch checked={value === true} onChange={onChange} isDisabled={isDisabled} />;
      return <Choice values={[true, false]} value={value} canBeUnset isDisabled={isDisabled} onChange={onChange} />;
    case "choice":
      return <Choice values={shape.values} value={value} canBeUnset={canBeUnset} isDisabled={isDisabled} onChange={onChange} />;
    case "number":
      return (
        <Input
          value={shown}
          isDisabled={isDisabled}
          inputMode={shape.isWhole ? "numeric" : "decimal"}
          onInput={(typed) => onChange(/^-?\d+(\.\d+)?$/.test(typed.trim()) ? Number(typed) : unset(typed.trim()))}
          {...empty}
        />
      );
    case "quantity":
      return (
        <QuantityInput
          name={name}
          of={shape.of}
          value={shown}
          isDisabled={isDisabled}
          placeholder={empty.placeholder ?? ""}
          onChange={(typed) => onChange(unset(typed))}
        />
      );
    case "text":
      if (shape.isSecret)
        return <SecretInput name={name} value={shown} isDisabled={isDisabled} onChange={(typed) => onChange(unset(typed))} />;
      if (isFile)
        return (
          <FilePathInput
            name={name}
            value={shown}
            placeholder={empty.placeholder ?? ""}
            isDisabled={isDisabled}
            onChange={(typed) => onChange(unset(typed))}
          />
        );
      return <Input value={shown} isDisabled={isDisabled} onInput={(typed) => onChange(unset(typed))} {...empty} />;
    default:
      return (
        <Textarea
          value={typeof value === "string" ? value : JSON.stringify(value ?? null, null, 2)}
          isMono
          isDisabled={isDisabled}
          onInput={(typed) => {
            const read = readJson(typed);
            onChange(read.mistake === undefined ? read.value : typed);
          }}
        />
      );
  }
}

interface ChoiceProps {
  readonly values: readonly (string | number | boolean)[];
  readonly value: Json | undefined;
  readonly canBeUnset: boolean;
  readonly isDisabled: boolean;
  readonly onChange: (value: Json | undefined) => void;
}

function Choice({ values, value, canBeUnset, isDisabled, onChange }: ChoiceProps) {
  const text = useText(words);
  const labelOf = (each: string | number | boolean) =>
    typeof each === "boolean" ? text(each ? "yes" : "no") : typeof each === "string" ? each.replaceAll("_", " ") : String(each);
  const known = values.map((each) => ({ value: JSON.stringify(each), label: labelOf(each) }));
  const current = value === undefined || value === null ? "" : JSON.stringify(value);
  const stray = known.some((each) => each.value === current) || current === "" ? [] : [{ value: current, label: current }];
  const none = canBeUnset || current === "" ? [{ value: "", label: text("not_set") }] : [];
  return (
    <Select
      value={current}
      isDisabled={isDisabled}
      options={[...none, ...known, ...stray]}
      onChange={(chosen) => onChange(chosen === "" ? undefined : (JSON.parse(chosen) as Json))}
    />
  );
}
