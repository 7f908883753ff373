// What a link's state is called: its phase for the ribbon, and the sentence for people.

import type { LinkReport } from "#status/report.ts";
import { visible } from "../messages/visible.ts";
import type { Format } from "../words/format.ts";
import type { linkWords } from "./link-words.ts";

export type LinkPhase = "up" | "trying" | "down" | "unknown";

export interface LinkSentence {
  readonly phase: LinkPhase;
  readonly key: keyof typeof linkWords;
  readonly values: Readonly<Record<string, string | number>>;
}

/** A state of a later version is taken for trying. */
export function phaseOf(state: string): LinkPhase {
  if (state === "ready") return "up";
  if (state === "waiting" || state === "stopped" || state === "down") return "down";
  return state === "unknown" ? "unknown" : "trying";
}

export function linkSentence(link: LinkReport, format: Pick<Format, "since" | "milliseconds">): LinkSentence {
  const phase = phaseOf(link.state);
  switch (link.state) {
    case "ready": {
      const hub = visible(link.hub_name ?? hostOf(link.url));
      const since = format.since(link.since);
      if (link.rtt_ms === null) return { phase, key: "ready", values: { hub, for: since } };
      return {
        phase,
        key: "ready_rtt",
        values: { hub, for: since, rtt: format.milliseconds(Math.max(1, Math.round(link.rtt_ms))) },
      };
    }
    case "waiting":
      return { phase, key: "waiting", values: { attempt: link.attempt } };
    case "dialing":
      return { phase, key: "dialing", values: { url: visible(hostOf(link.url)) } };
    case "securing":
    case "upgrading":
      return { phase, key: "securing", values: {} };
    case "syncing":
      return { phase, key: "syncing", values: {} };
    case "stopped":
      return { phase, key: "stopped", values: {} };
    default:
      return { phase, key: "greeting", values: {} };
  }
}

/** `tls://user:secret@hub1:7422/x` → `hub1:7422`. A URL that cannot be read is shown as it is. */
export function hostOf(url: string): string {
  return /^[a-z+]+:\/\/(?:[^/@]*@)?([^/?#]+)/i.exec(url)?.[1] ?? url;
}
