// On or off, with its words beside it. Stands alone (label) or in a Field.

import type { ComponentChildren } from "preact";
import { useField } from "./field.tsx";

interface SwitchProps {
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
  readonly label?: ComponentChildren;
  readonly isDisabled?: boolean;
}

export function Switch({ checked, onChange, label, isDisabled = false }: SwitchProps) {
  const { id, describedBy, isLocked } = useField();
  const control = (
    <input
      id={id}
      class="switch"
      type="checkbox"
      role="switch"
      checked={checked}
      aria-checked={checked}
      disabled={isDisabled || isLocked}
      aria-describedby={describedBy}
      onChange={(event) => onChange(event.currentTarget.checked)}
    />
  );
  return label === undefined ? (
    control
  ) : (
    <label class="switch-row" for={id}>
      {control}
      <span>{label}</span>
    </label>
  );
}
