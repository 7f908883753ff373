// Measures the S2 codec beside `snappy` (native code) in one process, round by round in turn.
//
//   block    operations only, input in place            chunk    copied in, checksum, header, a view out: what a link pays
//
// Each figure is the median of all rounds, in MB of plaintext per second of this thread's processor time: what other programs take
// meanwhile does not count. Batches of one size are coded one by one, as flushes are.

import * as os from "node:os";
import { parseArgs } from "node:util";
import snappy from "snappy";
import { openS2Codec, type S2Codec, type S2Level } from "#s2/codec.ts";
import { DECODER_INPUT, DECODER_OUTPUT, ENCODER_INPUT, ENCODER_OUTPUT } from "#s2/memory-layout.ts";
import { S2Reader } from "#s2/reader.ts";
import { S2Writer } from "#s2/writer.ts";
import { leafTraffic, noise, prose } from "../../../test/support/s2-inputs.ts";
import { readPrefix } from "../../../test/support/s2-reading.ts";
import { BATCH_BYTES } from "./s2-go-figures.ts";
import { formatS2Report } from "./s2-report.ts";
import { type Spread, spreadOf } from "./statistics.ts";

export const S2_HELP = `usage: scripts/bench s2 [--quick] [--rounds N] [--json]

Measures the S2 codec: sizes and speeds of every level and batch size, beside snappy from npm, run side by side, and beside figures
of the Go implementation recorded elsewhere.
  --quick      shorter: some ten seconds
  --rounds N   how many rounds (default 9; with --quick 5)
  --json       a machine-readable answer instead of the table

example: scripts/bench s2 --quick
`;

const LEVELS: readonly (readonly [S2Level, number])[] = [
  ["fast", 1],
  ["better", 2],
  ["best", 3],
];
/** Bytes that one turn goes through at most, so that batches do not all fit the nearest cache. */
const WORKING_BYTES = 1 << 20;
const IDENTIFIER_BYTES = 10;

export interface S2Row {
  readonly data: string;
  readonly batchBytes: number;
  readonly level: S2Level | "snappy";
  /** On the wire, of the plaintext. For snappy with 8 bytes of frame. */
  readonly share: number;
  readonly speeds: Readonly<Partial<Record<Measure, Spread>>>;
}

export type Measure = "encodeBlock" | "encodeChunk" | "encodeInPlace" | "decodeBlock" | "decodeChunk";

export interface S2Report {
  readonly machine: Readonly<Record<string, string>>;
  readonly rounds: number;
  readonly rows: readonly S2Row[];
  /** MB/s by length. */
  readonly checksum: Readonly<Record<number, Spread>>;
}

interface Turn {
  /** Returns the bytes it went through. */
  readonly run: () => number;
  /** Part of `run`, whose time is taken off. */
  readonly discount?: () => void;
  readonly rates: number[];
}

type Turns = Map<string, Turn>;

export async function benchS2(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      rounds: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return void process.stdout.write(S2_HELP);
  const rounds = Number(values.rounds ?? (values.quick ? 5 : 9));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100)
    throw new Error(`--rounds wants a number from 1 to 100, got "${values.rounds}"`);
  const report = await measureAll(rounds, values.quick ? 12 : 60, signal);
  process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : formatS2Report(report));
}

async function measureAll(rounds: number, turnMs: number, signal: AbortSignal): Promise<S2Report> {
  const codec = openS2Codec();
  const rows: S2Row[] = [];
  const sources = [
    ["lmsg", leafTraffic(1001, 4 << 20)],
    ["text", prose(77, 1_500_000)],
    ["rand", noise(5, 1 << 20)],
  ] as const;
  for (const [data, bytes] of sources) {
    for (const batchBytes of BATCH_BYTES) {
      await new Promise(setImmediate);
      signal.throwIfAborted();
      const batches = cut(bytes, batchBytes);
      const turns: Turns = new Map();
      const shares = LEVELS.map(([level, number]) => [level, addOurs(turns, codec, batches, level, number)] as const);
      const snappyShare = addSnappy(turns, batches);
      takeTurns(turns, rounds, turnMs);
      for (const [level, share] of [...shares, ["snappy", snappyShare] as const]) {
        rows.push({ data, batchBytes, level, share, speeds: speedsOf(turns, level) });
      }
    }
  }
  const turns: Turns = new Map();
  for (const bytes of BATCH_BYTES) {
    turns.set(`${bytes}`, { run: () => repeat(1 << 20, bytes, () => codec.encoder.crc32c(ENCODER_INPUT, bytes)), rates: [] });
  }
  takeTurns(turns, rounds, turnMs);
  const checksum = Object.fromEntries(BATCH_BYTES.map((bytes) => [bytes, spreadOf(turns.get(`${bytes}`)!.rates)!]));
  return { machine: machine(), rounds, rows, checksum };
}

/** Adds the turns of one level, after a look at what it makes of all batches: that is the share handed back. */
function addOurs(turns: Turns, codec: S2Codec, batches: readonly Buffer[], level: S2Level, number: number): number {
  const batchBytes = batches[0]!.length;
  const writer = new S2Writer(codec);
  const reader = new S2Reader(codec);
  const chunks: Buffer[] = [];
  for (const batch of batches) writer.write(batch, level, (view) => chunks.push(Buffer.from(view)));
  reader.read(chunks[0]!.subarray(0, IDENTIFIER_BYTES), noted);
  chunks[0] = chunks[0]!.subarray(IDENTIFIER_BYTES);
  for (const [i, chunk] of chunks.entries()) {
    reader.read(chunk, (view) => {
      if (!view.equals(batches[i]!)) throw new Error(`${level}: batch ${i} of ${batchBytes} bytes came back as something else`);
    });
  }
  const wireBytes = chunks.reduce((sum, { length }) => sum + length, 0);

  const count = Math.min(batches.length, WORKING_BYTES / batchBytes);
  const some = batches.slice(0, count);
  const add = (measure: Measure, each: (batch: Buffer, i: number) => void) =>
    turns.set(`${level} ${measure}`, { run: () => runEach(some, each), rates: [] });
  const { encoder, decoder, encoderBytes, decoderBytes } = codec;
  add("encodeBlock", (batch) => {
    encoderBytes.set(batch, ENCODER_INPUT);
    encoder.encodeBlock(number, batchBytes, ENCODER_OUTPUT);
  });
  add("encodeChunk", (batch) => writer.write(batch, level, noted));
  add("decodeChunk", (_, i) => reader.read(chunks[i]!, noted));
  // Without the copy into the input, as if lines were laid straight there.
  turns.set(`${level} encodeInPlace`, {
    run: () => runEach(some, (batch) => writer.write(batch, level, noted)),
    discount: () => void runEach(some, (batch) => encoderBytes.set(batch, ENCODER_INPUT)),
    rates: [],
  });
  const blocks = chunks.filter((chunk) => chunk[0] === 0).map((chunk) => chunk.subarray(8));
  const prefixes = blocks.map((block) => readPrefix(block)!.bytes);
  if (blocks.length > 0) {
    add("decodeBlock", (_, i) => {
      const which = i % blocks.length;
      const block = blocks[which]!;
      decoderBytes.set(block, DECODER_INPUT);
      decoder.decodeBlock(DECODER_INPUT + prefixes[which]!, DECODER_INPUT + block.length, DECODER_OUTPUT, batchBytes);
    });
  }
  return wireBytes / (batches.length * batchBytes);
}

/** `copyOutputData` is its quicker way here, whatever its documentation says. */
function addSnappy(turns: Turns, batches: readonly Buffer[]): number {
  const batchBytes = batches[0]!.length;
  const packed = batches.map((batch) => snappy.compressSync(batch));
  const some = batches.slice(0, WORKING_BYTES / batchBytes);
  const options = { copyOutputData: true };
  turns.set("snappy encodeBlock", { run: () => runEach(some, (batch) => snappy.compressSync(batch, options)), rates: [] });
  turns.set("snappy decodeBlock", { run: () => runEach(some, (_, i) => snappy.uncompressSync(packed[i]!, options)), rates: [] });
  const wireBytes = packed.reduce((sum, { length }) => sum + Math.min(length, batchBytes) + 8, 0);
  return wireBytes / (batches.length * batchBytes);
}

/** All in turn, so that what disturbs the machine disturbs all. The first round warms up. */
function takeTurns(turns: Turns, rounds: number, turnMs: number): void {
  for (let round = 0; round <= rounds; round++) {
    for (const { run, discount, rates } of turns.values()) {
      const startedMs = usedMs();
      let bytes = 0;
      let times = 0;
      let elapsedMs = 0;
      do {
        bytes += run();
        times += 1;
        elapsedMs = usedMs() - startedMs;
      } while (elapsedMs < turnMs);
      const discountedMs = usedMs();
      if (discount !== undefined) for (let i = 0; i < times; i++) discount();
      const ms = elapsedMs - (discount === undefined ? 0 : usedMs() - discountedMs);
      if (round > 0) rates.push(bytes / ms / 1000);
    }
  }
}

/** Processor time of this thread. */
function usedMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function speedsOf(turns: Turns, level: S2Row["level"]): Partial<Record<Measure, Spread>> {
  const speeds: Partial<Record<Measure, Spread>> = {};
  for (const [name, { rates }] of turns) {
    const [of, measure] = name.split(" ") as [string, Measure];
    if (of === level) speeds[measure] = spreadOf(rates)!;
  }
  return speeds;
}

function runEach(batches: readonly Buffer[], run: (batch: Buffer, i: number) => unknown): number {
  for (const [i, batch] of batches.entries()) run(batch, i);
  return batches.length * batches[0]!.length;
}

function repeat(total: number, bytes: number, run: () => void): number {
  for (let done = 0; done < total; done += bytes) run();
  return total;
}

function cut(bytes: Buffer, batchBytes: number): Buffer[] {
  return Array.from({ length: Math.floor(bytes.length / batchBytes) }, (_, i) =>
    bytes.subarray(i * batchBytes, (i + 1) * batchBytes),
  );
}

/** Takes what is lent, as a link's sink would: no work of ours is left undone for want of a reader. */
function noted(view: Buffer): void {
  if (view.length < 0) throw new Error("a buffer of negative length");
}

function machine(): Record<string, string> {
  const [one] = os.loadavg();
  return {
    cpu: os.cpus()[0]?.model ?? "unknown",
    processors: String(os.availableParallelism()),
    node: process.version,
    "load average": one!.toFixed(2),
  };
}
