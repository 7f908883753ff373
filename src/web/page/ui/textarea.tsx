// Several lines of text.

import { useField } from "./field.tsx";

interface TextareaProps {
  readonly value: string;
  readonly onInput: (value: string) => void;
  readonly rows?: number;
  readonly isMono?: boolean;
  readonly placeholder?: string;
  readonly isDisabled?: boolean;
  readonly label?: string;
}

export function Textarea({ value, onInput, rows = 4, isMono = false, placeholder, isDisabled = false, label }: TextareaProps) {
  const { id, describedBy, isFaulty, isLocked } = useField();
  return (
    <textarea
      id={id}
      class={isMono ? "mono" : ""}
      rows={rows}
      value={value}
      placeholder={placeholder}
      disabled={isDisabled || isLocked}
      autocapitalize="none"
      spellcheck={false}
      aria-label={label}
      aria-describedby={describedBy}
      aria-invalid={isFaulty}
      onInput={(event) => onInput(event.currentTarget.value)}
    />
  );
}
