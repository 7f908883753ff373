// One figure that matters, large, with its name and what it means.

import type { ComponentChildren } from "preact";

interface StatProps {
  readonly label: string;
  readonly value: ComponentChildren;
  readonly hint?: ComponentChildren;
}

export function Stat({ label, value, hint }: StatProps) {
  return (
    <div class="stat">
      <p class="stat-label">{label}</p>
      <p class="stat-value">{value}</p>
      {hint !== undefined && <p class="stat-hint">{hint}</p>}
    </div>
  );
}
