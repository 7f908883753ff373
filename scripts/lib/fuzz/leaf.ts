// Fuzzes the leaf parser: whatever a hub says, the parser takes it as the oracle does, however it is cut, or ends the link with a
// ProtocolError; and it never asks for more memory than it states. The first input that goes otherwise is shortened and thrown.

import { ProtocolError } from "#base/errors.ts";
import {
  BATCH_MAX,
  GROUPS,
  GROUPS_END,
  headersOf,
  payloadOf,
  replyOf,
  routedSubjectOf,
  SPAN_WORDS,
  subjectOf,
} from "#core/batch.ts";
import { LEAF_LINE_BYTES_MAX, LEAF_MESSAGE_BYTES_MAX, LeafParser } from "#wire/leaf-parser.ts";
import { readLeaf } from "../../../test/support/leaf-oracle.ts";
import { seededRandom } from "../../../test/support/seeded-random.ts";
import { hubElements, nextCuts, nextInput } from "./leaf-inputs.ts";

export interface FuzzOptions {
  /** Stops after so many … */
  readonly inputs: number;
  /** … or so many seconds, whichever comes first. */
  readonly seconds?: number;
  readonly seed: number;
  readonly signal: AbortSignal;
}

export interface FuzzResult {
  readonly inputs: number;
  /** Of them, how many were taken as good as far as they went. A fuzzer that finds all bad, or all good, tests nothing. */
  readonly accepted: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly seed: number;
  /** One line of what else was seen. */
  readonly note: string;
}

/** The parser keeps one incomplete element, in a slab that doubles. */
const SLAB_BYTES_MAX = 2 * (LEAF_LINE_BYTES_MAX + LEAF_MESSAGE_BYTES_MAX + 2);
/** Inputs between two looks at the clock and the signal. */
const ROUND = 5_000;

export async function fuzzLeaf(options: FuzzOptions): Promise<FuzzResult> {
  const random = seededRandom(options.seed);
  const elements = hubElements();
  const startedMs = performance.now();
  const seconds = () => (performance.now() - startedMs) / 1000;
  using slabs = watchSlabs();
  const trial = new Trial(() => slabs.largest);
  let inputs = 0;
  let accepted = 0;
  let bytes = 0;
  while (inputs < options.inputs && seconds() < (options.seconds ?? Infinity)) {
    for (const end = Math.min(options.inputs, inputs + ROUND); inputs < end; inputs++) {
      const input = nextInput(random, elements);
      const cuts = nextCuts(random, input.length);
      const complaint = trial.complaint(input, cuts);
      if (complaint !== undefined) throw new Error(describe(options.seed, inputs, input, cuts, complaint, trial));
      bytes += input.length;
      if (!trial.wasBreach) accepted += 1;
    }
    await new Promise((resolve) => setImmediate(resolve));
    options.signal.throwIfAborted();
  }
  const note = `largest slab ${slabs.largest.toLocaleString("en")} bytes, stated ${SLAB_BYTES_MAX.toLocaleString("en")}`;
  return { inputs, accepted, bytes, seconds: seconds(), seed: options.seed, note };
}

/** One input against the oracle, whole and cut. */
class Trial {
  /** Whether the latest input ended in a breach. */
  wasBreach = false;
  readonly #largestSlab: () => number;
  /** Good for the next input as long as everything it was fed was complete. */
  #fresh: Listener | undefined;

  constructor(largestSlab: () => number) {
    this.#largestSlab = largestSlab;
  }

  /** What is wrong, or undefined. */
  complaint(input: Buffer, cuts: readonly number[]): string | undefined {
    const wanted = readLeaf(input);
    this.wasBreach = wanted.breach !== undefined;
    for (const each of [[], cuts]) {
      const told = this.#feed(input, each, wanted.ends.at(-1) === input.length);
      const how = each.length === 0 ? "whole" : "cut";
      if (told.error !== undefined && !(told.error instanceof ProtocolError)) return `${how}: threw ${told.error.stack}`;
      if ((told.error === undefined) !== (wanted.breach === undefined))
        return `${how}: parser says ${told.error?.message ?? "good"}, oracle says ${wanted.breach ?? "good"}`;
      // Before a breach the parser may keep messages of the same chunk to itself; it must not invent any.
      if (told.error === undefined && told.heard.length !== wanted.events.length)
        return `${how}: ${told.heard.length} events, oracle has ${wanted.events.length}`;
      const wrong = told.heard.findIndex((event, i) => event !== wanted.events[i]);
      if (wrong >= 0) return `${how}: event ${wrong} is ${told.heard[wrong]}, oracle has ${wanted.events[wrong]}`;
    }
    if (this.#largestSlab() > SLAB_BYTES_MAX) return `the parser asked for ${this.#largestSlab()} bytes at once`;
    return undefined;
  }

  #feed(input: Buffer, cuts: readonly number[], isComplete: boolean): { heard: readonly string[]; error?: Error } {
    const leaf = this.#fresh ?? listener();
    this.#fresh = undefined;
    leaf.heard.length = 0;
    try {
      feed(leaf.parser, input, cuts);
    } catch (error) {
      return { heard: leaf.heard, error: error as Error };
    }
    if (!isComplete) return { heard: leaf.heard };
    const heard = [...leaf.heard];
    this.#fresh = leaf;
    return { heard };
  }
}

interface Listener {
  readonly parser: LeafParser;
  /** As the oracle writes them. */
  readonly heard: string[];
}

function listener(): Listener {
  const heard: string[] = [];
  const say = (event: string) => void heard.push(event);
  const parser = new LeafParser({
    onBatch(batch) {
      if (batch.count > BATCH_MAX) say(`a batch of ${batch.count}`);
      for (let i = 0; i < batch.count; i++) {
        const at = i * SPAN_WORDS;
        const groups = batch.bytes.latin1Slice(batch.spans[at + GROUPS]!, batch.spans[at + GROUPS_END]!);
        const body = [headersOf(batch, i).toString("latin1"), payloadOf(batch, i).toString("latin1")];
        say(`msg ${JSON.stringify([routedSubjectOf(batch, i), subjectOf(batch, i), replyOf(batch, i), groups, ...body])}`);
      }
    },
    onInterest: (filter, queue, weight) => say(`ls+ ${filter} ${queue} ${weight}`),
    onInterestGone: (filter, queue) => say(`ls- ${filter} ${queue}`),
    onPing: () => say("ping"),
    onPong: () => say("pong"),
    onInfo: (json) => say(`info ${json}`),
    onError: (text) => say(`err ${text}`),
  });
  return { parser, heard };
}

/** Chunks are copies, spoilt after use: nothing may be kept of them. */
function feed(parser: LeafParser, input: Buffer, cuts: readonly number[]): void {
  let from = 0;
  for (const to of [...cuts, input.length]) {
    const chunk = Buffer.from(input.subarray(from, to));
    parser.parse(chunk);
    chunk.fill(0x58);
    from = to;
  }
}

/** Notes the largest slab anybody asks for while it is watched. */
function watchSlabs(): Disposable & { readonly largest: number } {
  const original = Buffer.allocUnsafeSlow;
  const watch = { largest: 0 };
  Buffer.allocUnsafeSlow = (size) => {
    watch.largest = Math.max(watch.largest, size);
    return original(size);
  };
  return {
    get largest() {
      return watch.largest;
    },
    [Symbol.dispose]() {
      Buffer.allocUnsafeSlow = original;
    },
  };
}

function describe(seed: number, index: number, input: Buffer, cuts: readonly number[], complaint: string, trial: Trial): string {
  const short = shortened(input, (shorter) => trial.complaint(shorter, cutsWithin(cuts, shorter.length)) !== undefined);
  const shortCuts = cutsWithin(cuts, short.length);
  return [
    `the leaf parser and its oracle differ (seed ${seed}, input ${index}): ${complaint}`,
    `shortened to ${short.length} bytes: ${JSON.stringify(short.toString("latin1").slice(0, 2000))}, cut at [${shortCuts.join(", ")}]`,
    `there: ${trial.complaint(short, shortCuts)}`,
  ].join("\n");
}

function cutsWithin(cuts: readonly number[], length: number): readonly number[] {
  return cuts.filter((cut) => cut <= length);
}

/** Takes out ever smaller pieces as long as it still goes wrong. */
function shortened(input: Buffer, isWrong: (input: Buffer) => boolean): Buffer {
  let best = input;
  for (let piece = Math.ceil(input.length / 2); piece >= 1; piece = piece === 1 ? 0 : Math.ceil(piece / 2)) {
    for (let at = 0; at + piece <= best.length; ) {
      const shorter = Buffer.concat([best.subarray(0, at), best.subarray(at + piece)]);
      if (isWrong(shorter)) best = shorter;
      else at += piece;
    }
  }
  return best;
}
