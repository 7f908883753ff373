// Which account a subject is in; asked only where there are several.

import { useStatus } from "../shell/live.tsx";
import { Field } from "../ui/field.tsx";
import { Select } from "../ui/select.tsx";
import { useText } from "../words/catalogue.ts";
import { words } from "./words.ts";

interface AccountChoiceProps {
  /** "": the first. */
  readonly value: string;
  readonly onChange: (account: string) => void;
}

export function AccountChoice({ value, onChange }: AccountChoiceProps) {
  const text = useText(words);
  const accounts = [...new Set(useStatus().remotes.map(({ account }) => account))];
  if (accounts.length < 2) return null;
  return (
    <Field label={text("account")}>
      <Select
        value={value === "" ? accounts[0]! : value}
        onChange={onChange}
        options={accounts.map((account) => ({ value: account, label: account }))}
      />
    </Field>
  );
}
