// What state a serial port is in, in a word and a tone.

import type { SerialReport } from "#status/report.ts";
import type { Tone } from "../ui/badge.tsx";
import type { serialWords } from "./serial-words.ts";

export interface PortMood {
  readonly tone: Tone;
  readonly key: keyof typeof serialWords;
}

export function portMood({ state, is_silent: isSilent, degraded }: SerialReport): PortMood {
  switch (state) {
    case "open":
      if (degraded !== null) return { tone: "look", key: "troubled" };
      return isSilent ? { tone: "look", key: "silent" } : { tone: "good", key: "working" };
    case "opening":
      return { tone: "look", key: "opening" };
    case "absent":
      return { tone: "bad", key: "absent" };
    case "waiting":
      return { tone: "bad", key: "waiting" };
    default:
      return { tone: "idle", key: "closed" };
  }
}
