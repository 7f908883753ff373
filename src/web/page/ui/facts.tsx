// Names and what they are, in two columns, or one under the other where it is narrow.

import type { ComponentChildren } from "preact";

interface FactsProps {
  readonly items: readonly (readonly [name: ComponentChildren, value: ComponentChildren])[];
}

export function Facts({ items }: FactsProps) {
  return (
    <dl class="facts">
      {items.map(([name, value], index) => (
        <div key={index}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
