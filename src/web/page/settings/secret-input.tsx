// A secret: the device tells only that there is one (***). It can be replaced, and never read.

import { useState } from "preact/hooks";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { Input } from "../ui/input.tsx";
import { useText } from "../words/catalogue.ts";
import { words } from "./words.ts";

const SHOWN = "***";

interface SecretInputProps {
  readonly name: string;
  readonly value: string;
  readonly isDisabled: boolean;
  readonly onChange: (value: string) => void;
}

export function SecretInput({ name, value, isDisabled, onChange }: SecretInputProps) {
  const text = useText(words);
  const [wasSet, setWasSet] = useState(value === SHOWN);
  if (value === SHOWN) {
    return (
      <div class="set-secret">
        <span>
          <Icon name="lock" /> {text("secret_set")}
        </span>
        <Button
          disabled={isDisabled}
          label={`${text("secret_replace")}: ${name}`}
          onClick={() => {
            setWasSet(true);
            onChange("");
          }}
        >
          {text("secret_replace")}
        </Button>
      </div>
    );
  }
  return (
    <div class="set-secret">
      <Input
        type="password"
        autoComplete="new-password"
        value={value}
        isDisabled={isDisabled}
        placeholder={text("not_set")}
        onInput={onChange}
      />
      {wasSet && (
        <Button kind="quiet" label={`${text("secret_keep")}: ${name}`} onClick={() => onChange(SHOWN)}>
          {text("secret_keep")}
        </Button>
      )}
    </div>
  );
}
