// Something to know, to look at or to mend, in the flow of the view. `isAlert`: it is read out as soon as it appears.

import type { ComponentChildren } from "preact";
import type { Tone } from "./badge.tsx";
import { Icon } from "./icon.tsx";

interface NoticeProps {
  readonly tone: Tone;
  readonly title?: ComponentChildren;
  readonly children?: ComponentChildren;
  readonly actions?: ComponentChildren;
  readonly isAlert?: boolean;
}

export function Notice({ tone, title, children, actions, isAlert = false }: NoticeProps) {
  return (
    <div class={`notice tone-${tone}`} role={isAlert ? "alert" : undefined}>
      <Icon name={tone} />
      <div class="notice-body">
        {title !== undefined && <p class="notice-title">{title}</p>}
        {children !== undefined && <div>{children}</div>}
      </div>
      {actions !== undefined && <div class="actions">{actions}</div>}
    </div>
  );
}
