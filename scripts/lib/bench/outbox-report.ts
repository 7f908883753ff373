// The tables of `scripts/bench outbox`.

import { type AckRow, RATE_INFLIGHT } from "./outbox-acks.ts";
import type { BacklogReport } from "./outbox-backlog.ts";
import { FLASH_RATE, type FlashRow } from "./outbox-flash.ts";
import type { Spread } from "./statistics.ts";

export interface OutboxBenchReport {
  readonly machine: Readonly<Record<string, string | number>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly note: string;
  readonly rounds: number;
  readonly acks: readonly AckRow[];
  readonly backlog: BacklogReport | null;
  readonly flash: readonly FlashRow[];
}

export function formatOutbox({ machine, versions, note, rounds, acks, backlog, flash }: OutboxBenchReport): string {
  const facts = Object.entries(machine).map(([name, value]) => `${name} ${value}`);
  const lines = [
    [...facts, `node ${versions["node"]}`, `nats-server ${versions["nats-server"]}`, `${rounds} rounds`].join(", "),
    `${note}; medians, with the lowest and highest round in brackets`,
  ];
  if (acks.length > 0) lines.push("", ...ackLines(acks));
  if (backlog !== null) lines.push("", ...backlogLines(backlog));
  if (flash.length > 0) lines.push("", ...flashLines(flash));
  return `${lines.join("\n")}\n`;
}

function ackLines(rows: readonly AckRow[]): string[] {
  return [
    `acknowledging QoS 1: rate with ${RATE_INFLIGHT} in flight each, PUBACK times with one in flight each; nats-server stores for a session that is away`,
    "devices  system                              acknowledged/s                   p50 ms                   p99 ms   of nats-server",
    ...rows.map(({ system, publishers, rate, p50, p99 }) => {
      const peer = rows.find((row) => row.publishers === publishers && row.system === "nats-server");
      const ratio = peer === undefined || peer.system === system ? "" : `  × ${ratioOf(rate, peer.rate)}`;
      const figures = [cell(whole(rate), 26), cell(exact(p50), 25), cell(exact(p99), 25)].join("");
      return `${String(publishers).padStart(7)}  ${system.padEnd(26)}${figures}${ratio}`;
    }),
  ];
}

function backlogLines(report: BacklogReport): string[] {
  const { messages, filledMib, foundMib, peakMib, startMs, emptyStartMs, peerStartMs, peerFilledMib } = report;
  const count = messages.toLocaleString("en");
  return [
    `${count} messages of 120 bytes on flash`,
    `  drained into a stream at the hub    ${whole(report.toStream)} /s  × ${ratioOf(report.toStream, report.mirrored)} of the mirror`,
    `  drained to a subscriber             ${whole(report.toSubscriber)} /s`,
    `  a fresh alarm meanwhile             ${exact(report.liveP50)} ms p50, ${exact(report.liveP99)} ms p99`,
    `  nats-server: mirror, leaf to hub    ${whole(report.mirrored)} /s`,
    `  missing at the hub                  ${report.lost}`,
    `  start, launch to open doors         ${whole(startMs)} ms; without a backlog ${whole(emptyStartMs)} ms; nats-server with its stream ${whole(peerStartMs)} ms`,
    `  memory                              ${filledMib.toFixed(0)} MiB after filling, ${whole(foundMib)} MiB after a start, ${peakMib.toFixed(0)} MiB at the peak of a drain; nats-server ${peerFilledMib.toFixed(0)} MiB after filling`,
  ];
}

function flashLines(rows: readonly FlashRow[]): string[] {
  return [
    `wear with the link down at ${FLASH_RATE} messages/s: bytes per byte of payload in files, in dirty pages, at the device (ext4's journal included, after a sync)`,
    "system                    payload      files    pages   device   flushes/s",
    ...rows.map(({ system, payload, files, pages, device, flushes }) => {
      const figures = [files, pages, device].map((value) => cell(value.toFixed(2), 9)).join("");
      return `${system.padEnd(26)}${payload.padEnd(9)}${figures}${cell(flushes.toFixed(1), 12)}`;
    }),
    "nats-server by default syncs every two minutes: what it acknowledged in between is lost with the power",
  ];
}

function ratioOf(own: Spread | undefined, other: Spread | undefined): string {
  return own === undefined || other === undefined ? "–" : (own.median / other.median).toFixed(2);
}

function whole(spread: Spread | undefined): string {
  return spreadText(spread, (value) => Math.round(value).toLocaleString("en"));
}

function exact(spread: Spread | undefined): string {
  return spreadText(spread, (value) => value.toFixed(2));
}

function spreadText(spread: Spread | undefined, text: (value: number) => string): string {
  if (spread === undefined) return "–";
  return `${text(spread.median)} (${text(spread.min)}–${text(spread.max)})`;
}

function cell(text: string, width: number): string {
  return text.padStart(width);
}
