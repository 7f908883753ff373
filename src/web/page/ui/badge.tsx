// A state in one or two words. Never by colour alone: an icon goes with it.

import type { ComponentChildren } from "preact";
import { Icon } from "./icon.tsx";

export type Tone = "good" | "look" | "bad" | "idle";

interface BadgeProps {
  readonly tone: Tone;
  readonly children: ComponentChildren;
}

export function Badge({ tone, children }: BadgeProps) {
  return (
    <span class={`badge tone-${tone}`}>
      <Icon name={tone} />
      {children}
    </span>
  );
}
