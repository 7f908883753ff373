// One line of text, a number, a password (with a way to look at it).

import { useState } from "preact/hooks";
import { useText } from "../words/catalogue.ts";
import { Button } from "./button.tsx";
import { useField } from "./field.tsx";
import { uiWords } from "./words.ts";

export interface InputProps {
  readonly value: string;
  readonly onInput: (value: string) => void;
  readonly type?: "text" | "number" | "password" | "url" | "search";
  readonly placeholder?: string;
  readonly autoComplete?: string;
  readonly inputMode?: "text" | "decimal" | "numeric" | "url";
  readonly isMono?: boolean;
  readonly isRequired?: boolean;
  readonly isDisabled?: boolean;
  readonly suffix?: string;
  readonly min?: number;
  readonly max?: number;
  /** Offered while typing. */
  readonly suggestions?: readonly string[];
  /** Where there is no Field with a label around it. */
  readonly label?: string;
  readonly onEnter?: () => void;
}

export function Input({ value, onInput, type = "text", isMono = false, suggestions, suffix, ...props }: InputProps) {
  const { id, describedBy, isFaulty, isLocked } = useField();
  const text = useText(uiWords);
  const [isShown, setShown] = useState(false);
  const isPassword = type === "password";
  return (
    <div class="input">
      <input
        id={id}
        class={isMono ? "mono" : ""}
        type={(isPassword && isShown ? "text" : type) as "text"}
        value={value}
        placeholder={props.placeholder}
        autocomplete={props.autoComplete ?? "off"}
        autocapitalize="none"
        autocorrect="off"
        spellcheck={false}
        inputMode={props.inputMode}
        required={props.isRequired}
        disabled={props.isDisabled === true || isLocked}
        min={props.min}
        max={props.max}
        list={suggestions === undefined ? undefined : `${id}-list`}
        aria-label={props.label}
        aria-describedby={describedBy}
        aria-invalid={isFaulty}
        onInput={(event) => onInput(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Enter" && props.onEnter?.()}
      />
      {suffix !== undefined && <span class="input-suffix">{suffix}</span>}
      {suggestions !== undefined && (
        <datalist id={`${id}-list`}>
          {suggestions.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
      {isPassword && (
        <Button
          kind="quiet"
          icon={isShown ? "hide" : "show"}
          label={text(isShown ? "hidePassword" : "showPassword")}
          onClick={() => setShown(!isShown)}
        />
      )}
    </div>
  );
}
