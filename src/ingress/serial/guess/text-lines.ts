// Lines of text: NMEA, JSON, rows of cells, words with values, or plain text.

import { isUtf8 } from "node:buffer";
import { hasRightChecksum } from "../framers/nmea-framer.ts";
import { type Interpretation, type SettingsJson, weight } from "./interpretation.ts";

const LF = 0x0a;
const CR = 0x0d;
const LINES_MAX = 500;
/** Share of bytes that must be characters for a sample to be text at all. */
const TEXT_SHARE = 0.97;
const NUMBER = /^[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?$/;
const SEPARATORS = [",", ";", "\t", " "] as const;

/** What lines of text in the sample may mean, the best first or none. The first line may have begun before, the last is not over. */
export function interpretLines(sample: Buffer): readonly Interpretation[] {
  const end = sample.includes(LF) ? LF : CR;
  const from = sample.indexOf(end) + 1;
  const whole = sample.subarray(from, sample.lastIndexOf(end) + 1);
  if (from === 0 || textShare(whole) < TEXT_SHARE) return [];
  const isUtf8Text = isUtf8(whole);
  const lines = whole
    .toString(isUtf8Text ? "utf8" : "latin1")
    .split(String.fromCharCode(end))
    .map((line) => line.replace(/\r$/, ""))
    .filter((line) => line.trim() !== "")
    .slice(0, LINES_MAX);
  if (lines.length === 0) return [];
  const charset: SettingsJson = isUtf8Text ? {} : { charset: "latin1" };
  const framing: SettingsJson = end === LF ? { type: "line" } : { type: "delimiter", delimiter: "\\r" };
  const facts = { lines, framing, charset, bytes: whole.length };
  const found = [asNmea(facts), asJson(facts), asCells(facts), asPairs(facts), asText(facts)];
  return found.filter((each) => each !== undefined).sort((a, b) => b.score - a.score);
}

/** Share of bytes that a person would call characters. Latin1 text has few letters beyond ASCII: more of them are no text. */
export function textShare(sample: Buffer): number {
  const isWide = isUtf8(sample);
  let plain = 0;
  let high = 0;
  for (const byte of sample) {
    if ((byte >= 0x20 && byte < 0x7f) || byte === LF || byte === CR || byte === 0x09) plain += 1;
    else if (byte >= (isWide ? 0x80 : 0xa0)) high += 1;
  }
  if (sample.length === 0 || (!isWide && high > sample.length / 4)) return 0;
  return (plain + high) / sample.length;
}

interface Facts {
  readonly lines: readonly string[];
  readonly framing: SettingsJson;
  readonly charset: SettingsJson;
  readonly bytes: number;
}

function asNmea({ lines, bytes }: Facts): Interpretation | undefined {
  const sentences = lines.filter((line) => /^[$!].{3,}\*[0-9A-Fa-f]{2}$/.test(line));
  const right = sentences.filter((line) => {
    const frame = Buffer.from(line, "latin1");
    return hasRightChecksum(frame, 0, frame.length);
  });
  if (right.length === 0) return undefined;
  return {
    score: 0.99 * proof(right.length / lines.length) * weight(right.length),
    why: `${right.length} of ${lines.length} lines are NMEA sentences with a right checksum`,
    framing: { type: "nmea" },
    decode: { type: "nmea" },
    hasFields: true,
    explained: bytes * (right.length / lines.length),
  };
}

function asJson({ lines, framing, bytes }: Facts): Interpretation | undefined {
  const objects = lines.filter(isJsonObject);
  if (objects.length === 0) return undefined;
  return {
    score: 0.98 * proof(objects.length / lines.length) * weight(objects.length),
    why: `${objects.length} of ${lines.length} lines are JSON objects`,
    framing,
    decode: { type: "json" },
    hasFields: true,
    explained: bytes * (objects.length / lines.length),
  };
}

/** What no chance brings about counts for more than its share: a noisy line spoils some of the best. */
function proof(share: number): number {
  return share < 0.5 ? share : Math.cbrt(share);
}

function isJsonObject(line: string): boolean {
  if (!line.trimStart().startsWith("{")) return false;
  try {
    return typeof JSON.parse(line) === "object";
  } catch {
    return false; // that is the answer
  }
}

function asCells({ lines, framing, charset, bytes }: Facts): Interpretation | undefined {
  let best: Interpretation | undefined;
  for (const separator of SEPARATORS) {
    const rows = lines.map((line) => (separator === " " ? line.trim().split(/[ \t]+/) : line.split(separator)));
    const columns = mostFrequent(rows.map((row) => row.length));
    if (columns < 2) continue;
    const even = rows.filter((row) => row.length === columns);
    const isNumeric = Array.from(
      { length: columns },
      (_, i) => even.filter((row) => NUMBER.test(row[i]!.trim())).length > even.length / 2,
    );
    if (!isNumeric.some(Boolean)) continue;
    const share = even.length / lines.length;
    const header =
      rows[0]!.length === columns && isNumeric.every((numeric, i) => !numeric || !NUMBER.test(rows[0]![i]!.trim()))
        ? rows[0]!
        : undefined;
    const hasComma = separator !== "," && even.some((row) => row.some((cell) => /^\s*[+-]?\d+,\d+\s*$/.test(cell)));
    const numbers = isNumeric.filter(Boolean).length / columns;
    const score = (0.85 + 0.05 * numbers) * share * weight(lines.length) * (separator === " " ? 0.95 : 1);
    if (best !== undefined && best.score >= score) continue;
    best = {
      score,
      why: `${even.length} of ${lines.length} lines have ${columns} cells${separator === " " ? " between blanks" : ` between ${JSON.stringify(separator)}`}, ${isNumeric.filter(Boolean).length} of them numbers`,
      framing,
      decode: {
        type: "csv",
        ...charset,
        columns: header?.map((cell) => cell.trim() || "-") ?? isNumeric.map((_, i) => `c${i + 1}`),
        ...(separator === "," ? {} : { separator: separator === "\t" ? "\\t" : separator }),
        ...(hasComma ? { decimal: "," } : {}),
      },
      hasFields: true,
      explained: bytes * share,
    };
  }
  return best;
}

/** `T=21.4 H: 40`: the same words in front of numbers, line for line. */
function asPairs({ lines, framing, charset, bytes }: Facts): Interpretation | undefined {
  const shape = (line: string) => [...line.matchAll(/([A-Za-z_][A-Za-z0-9_]{0,30})\s*([=:])\s*[+-]?\d+(?:\.\d+)?/g)];
  const keys = shape(lines[0]!).map((found) => [found[1]!, found[2]!] as const);
  if (keys.length === 0 || new Set(keys.map(([key]) => key)).size < keys.length) return undefined;
  const pattern = keys.map(([key, mark]) => `${key}\\s*${mark}\\s*(?<${key}>[-+]?[0-9.]+)`).join(".*?");
  const wanted = String(keys);
  const even = lines.filter((line) => String(shape(line).map((found) => [found[1]!, found[2]!])) === wanted);
  const share = even.length / lines.length;
  return {
    score: 0.92 * share * weight(lines.length),
    why: `${even.length} of ${lines.length} lines have numbers named ${keys.map(([key]) => key).join(", ")}`,
    framing,
    decode: { type: "regex", ...charset, pattern },
    hasFields: true,
    explained: bytes * share,
  };
}

function asText({ lines, framing, charset, bytes }: Facts): Interpretation {
  return {
    score: 0.75 * weight(lines.length),
    why: `${lines.length} lines of text`,
    framing,
    decode: { type: "text", ...charset },
    hasFields: false,
    explained: bytes,
  };
}

function mostFrequent(counts: readonly number[]): number {
  const times = new Map<number, number>();
  for (const count of counts) times.set(count, (times.get(count) ?? 0) + 1);
  return [...times].sort((a, b) => b[1] - a[1])[0]![0];
}
