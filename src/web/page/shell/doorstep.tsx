// The frame of what is shown before anybody is logged in: one column, one task, and the choice of the language.

import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { Brand } from "./brand.tsx";
import { Choices } from "./choices.tsx";

interface DoorstepProps {
  readonly title: string;
  readonly lead?: ComponentChildren;
  readonly children: ComponentChildren;
}

export function Doorstep({ title, lead, children }: DoorstepProps) {
  useEffect(() => {
    document.title = title === "Petiole" ? title : `${title} · Petiole`;
  }, [title]);
  return (
    <div class="doorstep">
      <header class="doorstep-head">
        <Brand />
        <Choices isBrief />
      </header>
      <main class="doorstep-main">
        <h1>{title}</h1>
        {lead !== undefined && <p class="view-lead">{lead}</p>}
        {children}
      </main>
    </div>
  );
}
