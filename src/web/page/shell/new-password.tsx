// A password somebody thinks of. Long beats odd: the one rule is its length, and the field can be looked into.

import { Field } from "../ui/field.tsx";
import { Input } from "../ui/input.tsx";
import { useText } from "../words/catalogue.ts";
import { shellWords } from "./words.ts";

/** As the device wants it. */
export const PASSWORD_CHARS_MIN = 10;

interface NewPasswordProps {
  readonly label: string;
  readonly value: string;
  readonly onInput: (value: string) => void;
}

export function NewPassword({ label, value, onInput }: NewPasswordProps) {
  const text = useText(shellWords);
  const missing = PASSWORD_CHARS_MIN - value.length;
  return (
    <Field label={label} help={value !== "" && missing > 0 ? text("passwordMissing", { n: missing }) : text("passwordHelp")}>
      <Input type="password" autoComplete="new-password" value={value} onInput={onInput} isRequired />
    </Field>
  );
}
