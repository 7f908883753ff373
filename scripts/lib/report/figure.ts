// One figure of test/REPORT.md: what, ours, a peer's, which way is better, what the design aims at, and what an acknowledgement meant.

import type { WorkloadId } from "./workloads.ts";

export interface Figure {
  readonly workload: WorkloadId;
  readonly what: string;
  readonly unit: string;
  readonly ours: number;
  /** What ours had done when it acknowledged, where that matters; a peer's stands behind its name. */
  readonly durability?: string;
  readonly peer: Peer | null;
  readonly better: "less" | "more";
  /** Of ours, or of ours to the peer's. */
  readonly target: Target | null;
}

export interface Peer {
  readonly name: string;
  readonly value: number;
  /** It does next to nothing, and shows what no program on our runtime can go below: losing to it is no loss. */
  readonly isFloor?: boolean;
}

export interface Target {
  readonly text: string;
  readonly isMet: boolean;
  /** By what share of the limit it is missed; 0 when it is met. */
  readonly shortBy: number;
}

/** What ours has done when it sends a PUBACK. */
export const SAFE = "acknowledged once the hub or the disk has it";
/** What a PUBACK of theirs follows, in short. */
const DURABILITY: Readonly<Record<string, string>> = {
  "nats-server": "acknowledges before its disk",
  "nats-server, sync always": "acknowledges after its disk",
  "mosquitto, bridge": "acknowledges from memory",
  mosquitto: "acknowledges from memory",
  aedes: "acknowledges from memory",
};

/** The name of a peer with what its PUBACK means. */
export function withDurability(peer: string): string {
  const words = DURABILITY[peer];
  return words === undefined ? peer : `${peer}: ${words}`;
}

/** `limit`: such as "≤ 0.8", "≥ 1.5", "< 100"; `text`: how it is shown. */
export function aim(value: number, limit: string, text = limit): Target {
  const isMet = isWithin(value, limit);
  const wanted = Number(limit.slice(1));
  const shortBy = isMet ? 0 : wanted === 0 ? Number.POSITIVE_INFINITY : Math.abs(value / wanted - 1);
  return { text, isMet, shortBy };
}

export function isWithin(value: number, limit: string): boolean {
  const wanted = Number(limit.slice(1));
  if (limit.startsWith("<")) return value < wanted;
  return limit.startsWith("≤") ? value <= wanted : value >= wanted;
}

/** What others on the machine change while it is measured; bytes and memory they do not. */
export function isOfTime({ unit }: Figure): boolean {
  return unit === "ms" || unit === "µs" || unit === "/s" || unit === "%" || unit === "MB/s";
}

/** True when the peer is better by more than rounding. */
export function isLost({ ours, peer, better }: Pick<Figure, "ours" | "peer" | "better">): boolean {
  if (peer === null || peer.isFloor === true) return false;
  return better === "less" ? ours > peer.value * 1.005 : ours < peer.value * 0.995;
}
