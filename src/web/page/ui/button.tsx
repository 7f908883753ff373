// A button: at least 48 px to hit. While its work is under way it says so and takes no second press.

import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./icon.tsx";
import { Spinner } from "./spinner.tsx";

export interface ButtonProps {
  readonly kind?: "primary" | "plain" | "danger" | "quiet";
  readonly type?: "button" | "submit";
  readonly icon?: IconName;
  readonly busy?: boolean;
  readonly disabled?: boolean;
  readonly onClick?: () => void;
  /** Where the words beside the icon are not shown. */
  readonly label?: string;
  readonly pressed?: boolean;
  readonly expanded?: boolean;
  readonly children?: ComponentChildren;
}

export function Button({ kind = "plain", type = "button", icon, busy = false, disabled = false, ...props }: ButtonProps) {
  const { onClick, label, pressed, expanded, children } = props;
  return (
    <button
      class={`button button-${kind}`}
      type={type}
      disabled={disabled}
      aria-disabled={busy}
      aria-busy={busy}
      aria-label={label}
      aria-pressed={pressed}
      aria-expanded={expanded}
      onClick={(event) => {
        if (busy) event.preventDefault();
        else onClick?.();
      }}
    >
      {busy ? <Spinner /> : icon !== undefined && <Icon name={icon} />}
      {children !== undefined && <span>{children}</span>}
    </button>
  );
}
