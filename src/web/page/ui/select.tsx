// One of a few.

import { useField } from "./field.tsx";

interface SelectProps<T extends string> {
  readonly value: T;
  readonly onChange: (value: T) => void;
  readonly options: readonly { readonly value: T; readonly label: string }[];
  readonly isDisabled?: boolean;
  readonly label?: string;
}

export function Select<T extends string>({ value, onChange, options, isDisabled = false, label }: SelectProps<T>) {
  const { id, describedBy, isFaulty, isLocked } = useField();
  return (
    <select
      id={id}
      value={value}
      disabled={isDisabled || isLocked}
      aria-label={label}
      aria-describedby={describedBy}
      aria-invalid={isFaulty}
      onChange={(event) => onChange(event.currentTarget.value as T)}
    >
      {options.map((option) => (
        <option key={option.value} value={option.value} selected={option.value === value}>
          {option.label}
        </option>
      ))}
    </select>
  );
}
