// The S2 bench as a table, with the recorded figures of Go and the bars beside it.

import type { S2Level } from "#s2/codec.ts";
import type { Measure, S2Report, S2Row } from "./s2.ts";
import { BARS, BATCH_BYTES, GO_DECODE, GO_ENCODE, GO_SIZE, GO_STREAM_READER, GO_STREAM_WRITER } from "./s2-go-figures.ts";
import type { Spread } from "./statistics.ts";

/** Rounds that differ by more than this share of the median tell little. */
const SPREAD_MAX = 1 / 3;

export function formatS2Report(report: S2Report): string {
  const { rows, machine, rounds, checksum } = report;
  const lines = [
    Object.entries(machine)
      .map(([name, value]) => `${name} ${value}`)
      .join(" · "),
    `medians of ${rounds} rounds, MB of plaintext per second of processor time; ~ marks figures whose rounds differ by more than a third`,
    "block: operations only. in place: whole chunk, less the copying in. chunk: copied in, checksum, frame, a view out.",
    "",
    "data  batch  level       size  encode: block  in place   chunk   decode: block   chunk   block ÷ snappy's: encode  decode",
  ];
  for (const row of rows) lines.push(formatRow(row, find(rows, row.data, row.batchBytes, "snappy")));
  lines.push("", "checksum, MB/s:");
  for (const [bytes, { median }] of Object.entries(checksum)) lines.push(`  ${bytes.padStart(6)} bytes ${rate(median)}`);
  lines.push(
    "",
    "beside Go's recorded figures (lmsg; sizes hold anywhere, its speeds, medians, are of another machine and another day):",
  );
  lines.push("  size        batch    ours      Go   ours ÷ Go");
  for (const level of ["fast", "better", "best"] as const) {
    for (const [i, bytes] of BATCH_BYTES.entries()) lines.push(sizeLine(rows, level, bytes, GO_SIZE[level]![i]!));
  }
  lines.push("  speed                            median    best      Go   median ÷ Go   best ÷ Go   bar");
  lines.push(...speedLines(report));
  return `${lines.join("\n")}\n`;
}

function formatRow({ data, batchBytes, level, share, speeds }: S2Row, snappy: S2Row): string {
  const speed = (measure: Measure, width: number) => cell(speeds[measure], width);
  const quotient = (measure: Measure) => {
    const ours = speeds[measure]?.median;
    const theirs = snappy.speeds[measure]?.median;
    return (ours === undefined || theirs === undefined ? "–" : (ours / theirs).toFixed(2)).padStart(8);
  };
  const name = `${data.padEnd(5)} ${String(batchBytes).padStart(5)}  ${level.padEnd(8)} ${share.toFixed(4).padStart(7)}`;
  const encode = `${speed("encodeBlock", 15)}${speed("encodeInPlace", 10)}${speed("encodeChunk", 8)}`;
  const decode = `${speed("decodeBlock", 16)}${speed("decodeChunk", 8)}`;
  return level === "snappy"
    ? name + encode + decode
    : `${name}${encode}${decode}${" ".repeat(18)}${quotient("encodeBlock")}${quotient("decodeBlock")}`;
}

function sizeLine(rows: readonly S2Row[], level: S2Level, bytes: number, go: number): string {
  const { share } = find(rows, "lmsg", bytes, level);
  const bar = level === "fast" ? BARS.sizeFast : level === "best" && bytes <= BARS.speedBestBytesMax ? BARS.sizeBest : undefined;
  const verdict = bar === undefined ? "" : judge(share / go, bar, true);
  return `  ${level.padEnd(8)} ${String(bytes).padStart(8)}  ${share.toFixed(4)}  ${go.toFixed(3)}  ${(share / go).toFixed(3).padStart(10)}${verdict}`;
}

function speedLines({ rows, checksum }: S2Report): string[] {
  const lines: string[] = [];
  const add = (name: string, ours: Spread | undefined, go: number, bar: number | undefined) => {
    if (ours === undefined) return;
    const { median, max } = ours;
    const quotients = `${(median / go).toFixed(2).padStart(13)} ${(max / go).toFixed(2).padStart(11)}`;
    const verdict =
      bar === undefined ? "" : isUnsteady(ours) ? `   at least ${bar}: not judged, unsteady` : judge(median / go, bar, false);
    lines.push(`  ${name.padEnd(30)} ${rate(median)} ${rate(max)} ${rate(go)} ${quotients}${verdict}`);
  };
  const speed = (bytes: number, level: S2Level, measure: Measure) => find(rows, "lmsg", bytes, level).speeds[measure];
  for (const level of ["fast", "better", "best"] as const) {
    for (const [i, bytes] of BATCH_BYTES.entries()) {
      const isFast = level === "fast" && bytes === 65_536;
      const isBest = level === "best" && bytes <= BARS.speedBestBytesMax;
      const bar = isFast ? BARS.encodeBlock : isBest ? BARS.speedBest : undefined;
      add(`encode ${level}, block, ${bytes}`, speed(bytes, level, "encodeBlock"), GO_ENCODE[level]![i]!, bar);
    }
  }
  add("encode fast, in place, 65536", speed(65_536, "fast", "encodeInPlace"), GO_STREAM_WRITER, BARS.encodeChunk);
  add("encode fast, chunk, 65536", speed(65_536, "fast", "encodeChunk"), GO_STREAM_WRITER, undefined);
  for (const level of ["fast", "better", "best"] as const) {
    add(`decode ${level}, block, 65536`, speed(65_536, level, "decodeBlock"), GO_DECODE[level]!, BARS.decodeBlock);
  }
  add("decode fast, chunk, 65536", speed(65_536, "fast", "decodeChunk"), GO_STREAM_READER, BARS.decodeChunk);
  const sum = checksum[16_384]!;
  const verdict = isUnsteady(sum) ? "not judged, unsteady" : sum.median >= BARS.checksum ? "met" : "MISSED";
  lines.push(
    `  ${"checksum, 16384".padEnd(30)} ${rate(sum.median)} ${rate(sum.max)}${" ".repeat(37)}at least ${BARS.checksum}: ${verdict}`,
  );
  return lines;
}

function judge(quotient: number, bar: number, isMost: boolean): string {
  // Recorded sizes have three digits: half a unit of the last is no miss.
  const isMet = isMost ? quotient <= bar + 0.0005 : quotient >= bar;
  return `   ${isMost ? "at most" : "at least"} ${bar}: ${isMet ? "met" : "MISSED"}`;
}

function find(rows: readonly S2Row[], data: string, batchBytes: number, level: S2Row["level"]): S2Row {
  return rows.find((row) => row.data === data && row.batchBytes === batchBytes && row.level === level)!;
}

function cell(spread: Spread | undefined, width: number): string {
  if (spread === undefined) return "–".padStart(width);
  return `${isUnsteady(spread) ? "~" : ""}${Math.round(spread.median)}`.padStart(width);
}

function isUnsteady({ min, max, median }: Spread): boolean {
  return (max - min) / median > SPREAD_MAX;
}

function rate(value: number): string {
  return String(Math.round(value)).padStart(7);
}
