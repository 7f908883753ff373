// The frame of a view: its one heading, which takes the focus when the view appears, what it is for, and what can be done.

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface ViewProps {
  readonly title: string;
  readonly lead?: ComponentChildren;
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
}

export function View({ title, lead, actions, children }: ViewProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    // Not on the first view: a page that has just been loaded begins at its top. index.html has the bare title.
    if (document.title !== "Petiole") heading.current?.focus({ preventScroll: true });
    document.title = `${title} · Petiole`;
    scrollTo(0, 0);
  }, [title]);
  return (
    <div class="view">
      <header class="view-head">
        <div>
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          {lead !== undefined && <p class="view-lead">{lead}</p>}
        </div>
        {actions !== undefined && <div class="actions">{actions}</div>}
      </header>
      {children}
    </div>
  );
}
