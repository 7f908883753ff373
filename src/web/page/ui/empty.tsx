// Where nothing is yet: what would be here, and how it comes here.

import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./icon.tsx";

interface EmptyProps {
  readonly title: string;
  readonly hint?: ComponentChildren;
  readonly icon?: IconName;
  readonly actions?: ComponentChildren;
}

export function Empty({ title, hint, icon = "leaf", actions }: EmptyProps) {
  return (
    <div class="empty">
      <Icon name={icon} />
      <p class="empty-title">{title}</p>
      {hint !== undefined && <p>{hint}</p>}
      {actions !== undefined && <div class="actions">{actions}</div>}
    </div>
  );
}
