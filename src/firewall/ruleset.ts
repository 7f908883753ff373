// A ruleset as data: one table, its sets, one input chain, its rules. What nft is told is made from it in nft-json.ts.
//
// The types leave no place for a text of anybody's own: names are our words or checked interface names, addresses are parsed ones.
// So nothing a setting says can become another rule.

import type { Network } from "./options.ts";

/** Kind of packet a rule looks for; all that are given must hold. */
export interface Match {
  /** Any of these; a star at the end stands for the rest of a name. */
  readonly interfaces?: readonly string[];
  readonly state?: readonly ("established" | "related" | "invalid" | "new")[];
  readonly from?: Network;
  /** Its sender is in this set of ours. */
  readonly fromSet?: SetName;
  readonly protocol?: "tcp" | "udp";
  readonly sourcePort?: number;
  readonly port?: number | readonly number[];
  readonly icmp?: readonly string[];
  readonly icmp6?: readonly string[];
  readonly cast?: readonly ("broadcast" | "multicast")[];
}

export type SetName = "blocked4" | "blocked6";

export interface Limit {
  readonly perSecond: number;
  readonly burst: number;
}

export interface Rule {
  /** Unique in the ruleset; also the rule's comment in the kernel, and how its counter is found again. */
  readonly key: string;
  /** For people. */
  readonly words: string;
  readonly match: Match;
  /** At most so many packets match. */
  readonly limit?: Limit;
  /** Only packets beyond this rate match, counted for each sender. */
  readonly beyond?: Limit & { readonly family: 4 | 6 };
  readonly verdict: "accept" | "drop";
}

export interface Ruleset {
  readonly rules: readonly Rule[];
  /** Blocked addresses kept at the same time, for each family. */
  readonly blockedMax: number;
}

/** nft and the kernel take 128 bytes with the NUL; ours are far shorter. */
export const KEY_BYTES_MAX = 64;
