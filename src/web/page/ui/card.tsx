// A block with a heading of its own.

import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface CardProps {
  readonly title: ComponentChildren;
  readonly lead?: ComponentChildren;
  readonly actions?: ComponentChildren;
  /** Of its heading: 2, or 3 inside of another card. */
  readonly level?: 2 | 3;
  readonly class?: string;
  readonly children: ComponentChildren;
}

export function Card({ title, lead, actions, level = 2, class: name = "", children }: CardProps) {
  const id = useId();
  const Heading = level === 2 ? "h2" : "h3";
  return (
    <section class={`card ${name}`} aria-labelledby={id}>
      <header class="card-head">
        <Heading id={id}>{title}</Heading>
        {actions !== undefined && <div class="actions">{actions}</div>}
      </header>
      {lead !== undefined && <p class="card-lead">{lead}</p>}
      {children}
    </section>
  );
}
