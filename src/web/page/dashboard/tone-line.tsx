// A sentence with the sign of its tone before it.

import type { ComponentChildren } from "preact";
import type { Tone } from "../ui/badge.tsx";
import { Icon } from "../ui/icon.tsx";

interface ToneLineProps {
  readonly tone: Tone;
  readonly children: ComponentChildren;
}

export function ToneLine({ tone, children }: ToneLineProps) {
  return (
    <span class={`dash-tone-line tone-${tone}`}>
      <Icon name={tone} />
      <span>{children}</span>
    </span>
  );
}
