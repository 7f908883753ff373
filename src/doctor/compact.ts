// The result in one line of at most 300 bytes, for a QR code, a text message or the telephone.
//
//   PTL1 0.1.0 gw-0042 261122T1251Z B reach@0.1=LEAF_DIAL_FAILED/ECONNREFUSED W space=DOCTOR_DISK_RESERVE
//   └ kind of line     │            │ └ step, which URL, code, the system's code     └ warnings after what is broken
//     └ version        └ server_name, time of the examination (by the device's clock)
//
// What does not fit is counted: `+3`. Without findings: `OK`. ASCII only.

import { timestamp, type WallMillis } from "#base/clock.ts";
import type { Finding } from "./report.ts";

export const COMPACT_BYTES_MAX = 300;
const NAME_CHARS_MAX = 40;
/** Room for ` +999`. */
const TAIL_BYTES = 5;

export interface CompactFacts {
  readonly version: string;
  readonly name: string;
  readonly wall: WallMillis;
}

export function compactOf(findings: readonly Finding[], { version, name, wall }: CompactFacts): string {
  const time = timestamp(wall).slice(2, 16).replaceAll(/[-:]/g, "");
  let line = `PTL1 ${ascii(version)} ${ascii(name).slice(0, NAME_CHARS_MAX) || "-"} ${time}Z`;
  const bad = [...findings].filter(({ verdict }) => verdict === "broken" || verdict === "warning");
  if (bad.length === 0) return `${line} OK`;
  const ordered = bad.sort((a, b) => rank(a) - rank(b)); // stable: steps stay in order
  let last = "";
  for (const [i, finding] of ordered.entries()) {
    const mark = finding.verdict === "broken" ? "B" : "W";
    const entry = `${mark === last ? "" : ` ${mark}`} ${entryOf(finding)}`;
    if (line.length + entry.length + TAIL_BYTES > COMPACT_BYTES_MAX) return `${line} +${ordered.length - i}`;
    line += entry;
    last = mark;
  }
  return line;
}

function rank({ verdict }: Finding): number {
  return verdict === "broken" ? 0 : 1;
}

function entryOf({ step, ref, code, detail }: Finding): string {
  return ascii(`${step}${ref === null ? "" : `@${ref}`}=${code}${detail === null ? "" : `/${detail}`}`).slice(0, 100);
}

function ascii(text: string): string {
  return text.replaceAll(/[^\x21-\x7e]/g, "_");
}
