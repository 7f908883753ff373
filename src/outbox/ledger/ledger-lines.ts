// The ledger as it lies on flash: text, one JSON object a line, each behind its own CRC-32C, so that a person with nothing but `cat`
// can read it, a torn end shows, and rot costs a line.
//
//   9b1c03aa {"is":"ledger","version":1}                                                   the first line
//   51ee20f7 {"is":"before","number":17,"rules":"5fd1","totals":[…],"damage":[…]}          all that came before this file
//   0c77d1e9 {"is":"loss","number":18,"reason":"expired","class":"state",…}                then what is new, as it comes
//   7710bd02 {"is":"rules","key":"77aa"}                                                   from here on rules mean something else
//
// Later versions may add fields and kinds of lines; a reader passes over what it does not know. Fixture: test/fixtures/ledger-v1.

import { crc32c } from "#base/crc32c.ts";
import { CLASSES } from "../urgency.ts";
import { type LedgerEntry, LOSS_REASONS, type LossTotal } from "./ledger-entry.ts";

const VERSION = 1;

export interface Before {
  /** Number of the last entry that is in the totals. */
  readonly number: number;
  /** What the numbers of rules in the totals refer to. */
  readonly rules: string;
  readonly totals: readonly LossTotal[];
  /** Damage told, by name. */
  readonly damage: readonly string[];
  /** Entries that are in the totals, and some of whose messages may be met again. */
  readonly told: readonly LedgerEntry[];
}

export type LedgerLine =
  | { readonly is: "ledger"; readonly version: number }
  | ({ readonly is: "before" } & Before)
  | { readonly is: "loss"; readonly entry: LedgerEntry }
  | { readonly is: "rules"; readonly key: string };

export interface LedgerText {
  readonly lines: readonly LedgerLine[];
  /** Where the last good line ends. */
  readonly endBytes: number;
  /** Lines before that which are none: rot. */
  readonly bad: number;
  /** Written by a later version of this program: read as far as we understand it, never written to. */
  readonly isNewer: boolean;
}

export function encodeLine(line: LedgerLine): string {
  const text = JSON.stringify(shown(line));
  const bytes = Buffer.from(text);
  return `${crc32c(bytes, 0, bytes.length).toString(16).padStart(8, "0")} ${text}\n`;
}

export function firstLine(): string {
  return encodeLine({ is: "ledger", version: VERSION });
}

/** Never throws, whatever the bytes are. */
export function parseLedger(bytes: Buffer): LedgerText {
  const lines: LedgerLine[] = [];
  let endBytes = 0;
  let bad = 0;
  let badSinceGood = 0;
  for (let at = 0; at < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, at);
    if (newline < 0) break;
    const value = checked(bytes.subarray(at, newline));
    at = newline + 1;
    if (value === undefined) {
      badSinceGood += 1;
      continue;
    }
    bad += badSinceGood;
    badSinceGood = 0;
    endBytes = at;
    const line = understood(value);
    if (line !== undefined) lines.push(line);
  }
  const isNewer = lines.some((line) => line.is === "ledger" && line.version > VERSION);
  return { lines, endBytes, bad, isNewer };
}

type Fields = { readonly [name: string]: unknown };

function checked(line: Buffer): Fields | undefined {
  if (line.length < 10 || line[8] !== 0x20) return undefined;
  const sum = line.latin1Slice(0, 8);
  if (!/^[0-9a-f]{8}$/.test(sum) || Number.parseInt(sum, 16) !== crc32c(line, 9, line.length)) return undefined;
  try {
    const value: unknown = JSON.parse(line.utf8Slice(9, line.length));
    return typeof value === "object" && value !== null ? (value as Fields) : undefined;
  } catch {
    return undefined; // a checksum that holds over no JSON: not ours
  }
}

// ── between the words of the file and ours ──────────────────────────────────────────────────────────────────────────────

function shown(line: LedgerLine): Fields {
  switch (line.is) {
    case "before":
      return { ...line, totals: line.totals.map(shownTotal), told: line.told.map(shownEntry) };
    case "loss":
      return { is: "loss", ...shownEntry(line.entry) };
    case "ledger":
    case "rules":
      return { ...line };
  }
}

function shownTotal(loss: LossTotal): Fields {
  return {
    reason: loss.reason,
    class: loss.lane,
    rule: loss.rule,
    messages: loss.messages,
    from: loss.fromSeq,
    through: loss.throughSeq,
    first: loss.firstTime,
    last: loss.lastTime,
  };
}

function shownEntry(entry: LedgerEntry): Fields {
  const { number, epoch, runs, isPrefix, damage } = entry;
  return {
    number,
    ...shownTotal(entry),
    epoch,
    ...(runs === null ? {} : { runs }),
    ...(isPrefix === true ? { prefix: true } : {}),
    ...(damage.length === 0 ? {} : { damage }),
  };
}

function understood(fields: Fields): LedgerLine | undefined {
  switch (fields["is"]) {
    case "ledger":
      return isCount(fields["version"]) ? { is: "ledger", version: fields["version"] } : undefined;
    case "before": {
      const { number, rules, totals, damage, told } = fields;
      if (!isCount(number) || typeof rules !== "string" || !Array.isArray(totals)) return undefined;
      return {
        is: "before",
        number,
        rules,
        totals: totals.map(parseTotal).filter((total) => total !== undefined),
        damage: texts(damage),
        told: Array.isArray(told) ? told.map(parseEntry).filter((entry) => entry !== undefined) : [],
      };
    }
    case "loss": {
      const entry = parseEntry(fields);
      return entry === undefined ? undefined : { is: "loss", entry };
    }
    case "rules":
      return typeof fields["key"] === "string" ? { is: "rules", key: fields["key"] } : undefined;
    default:
      return undefined;
  }
}

function parseTotal(value: unknown): LossTotal | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const fields = value as Fields;
  const reason = LOSS_REASONS.find((each) => each === fields["reason"]);
  const { messages, first, last } = fields;
  if (reason === undefined || !isCount(messages) || typeof first !== "number" || typeof last !== "number") return undefined;
  return {
    reason,
    lane: CLASSES.find((each) => each === fields["class"]) ?? null,
    rule: countOrNull(fields["rule"]),
    messages,
    fromSeq: countOrNull(fields["from"]),
    throughSeq: countOrNull(fields["through"]),
    firstTime: first,
    lastTime: last,
  };
}

function parseEntry(value: unknown): LedgerEntry | undefined {
  const total = parseTotal(value);
  if (total === undefined) return undefined;
  const { number, epoch, runs, prefix, damage } = value as Fields;
  if (!isCount(number)) return undefined;
  const isRuns = Array.isArray(runs) && runs.length % 2 === 0 && runs.every(isCount);
  return {
    ...total,
    number,
    epoch: countOrNull(epoch),
    runs: isRuns ? runs : null,
    isPrefix: prefix === true,
    damage: texts(damage),
  };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function countOrNull(value: unknown): number | null {
  return isCount(value) ? value : null;
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}
