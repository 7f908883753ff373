// Fuzzes the parser of what NATS clients say: cut anywhere it must hear what it hears uncut and end as it ends uncut, with a
// ProtocolError or not at all, keep nothing of a chunk, and ask for no more memory than it states. The first input that goes otherwise is thrown.
//
// There is no second parser to compare with: the client dialect's own tests say what each line means, this says that nothing else matters.

import { ProtocolError } from "#base/errors.ts";
import { BATCH_MAX, headersOf, payloadOf, replyOf, subjectOf } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import { CLIENT_LINE_BYTES_MAX, ClientParser } from "#wire/client-parser.ts";
import { seededRandom } from "../../../test/support/seeded-random.ts";
import type { FuzzOptions, FuzzResult } from "./leaf.ts";
import { nextCuts } from "./leaf-inputs.ts";
import { mutate } from "./mutate-bytes.ts";

const PAYLOAD_BYTES_MAX = 16_384;
/** One incomplete element, in a slab that may be twice as wide. */
const SLAB_BYTES_MAX = 2 * (CLIENT_LINE_BYTES_MAX + PAYLOAD_BYTES_MAX + 4);
const ROUND = 5_000;
/** Once in so many inputs, one that goes to a limit. */
const LARGE_EVERY = 500;

type Random = () => number;

const SUBJECTS = ["a", "a.b.c", "plant.7.temp", "_INBOX.x.1", "$SYS.REQ.USER.INFO", "*", "a.*", ">", "a..b", ".", "größe", ""];
const NUMBERS = ["0", "1", "2", "5", "12", "13", "007", "-1", "1x", "16384", "16385", "999999999", "1000000000", "99999999999"];
const ENDS = ["\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\r\n", ""];
const CONNECTS = ['CONNECT {"verbose":false}', "CONNECT {}", "connect { }", "CONNECT", "CONNECT x"];

export async function fuzzClient(options: FuzzOptions): Promise<FuzzResult> {
  const random = seededRandom(options.seed);
  const startedMs = performance.now();
  const seconds = () => (performance.now() - startedMs) / 1000;
  using slabs = watchSlabs();
  let [inputs, accepted, bytes] = [0, 0, 0];
  while (inputs < options.inputs && seconds() < (options.seconds ?? Number.POSITIVE_INFINITY)) {
    for (const end = Math.min(options.inputs, inputs + ROUND); inputs < end; inputs++) {
      const input = nextInput(random);
      const cuts = nextCuts(random, input.length);
      const whole = hear(input, []);
      const cut = hear(input, cuts);
      const complaint = differenceOf(whole, cut) ?? slabs.complaint(input.length);
      if (complaint !== undefined) throw new Error(describe(options.seed, inputs, input, cuts, complaint));
      bytes += input.length;
      if (whole.isGood) accepted += 1;
    }
    await new Promise((resolve) => setImmediate(resolve));
    options.signal.throwIfAborted();
  }
  const note = `whole and cut agree; largest slab ${slabs.largest.toLocaleString("en")} bytes, stated ${SLAB_BYTES_MAX.toLocaleString("en")}, or twice a chunk that waits`;
  return { inputs, accepted, bytes, seconds: seconds(), seed: options.seed, note };
}

interface Heard {
  readonly events: readonly string[];
  /** Code and words, the offset in them; undefined: it took everything. */
  readonly breach: string | undefined;
  /** No breach before the LF that we put behind it. */
  readonly isGood: boolean;
}

/**
 * What the parser says to this input and one LF more, which ends a line that has no end yet: what is wrong in it may be found early or late.
 * Chunks are copies, spoilt after use: nothing may be kept of them. CONNECT pauses, as it does while a password is checked.
 */
function hear(input: Buffer, cuts: readonly number[]): Heard {
  const events: string[] = [];
  const say = (event: string) => void events.push(event);
  let isPaused = false;
  let isGood = false;
  const parser = new ClientParser(
    {
      onBatch(batch) {
        if (batch.count > BATCH_MAX) say(`a batch of ${batch.count}`);
        for (let i = 0; i < batch.count; i++) {
          const body = [headersOf(batch, i), payloadOf(batch, i)].map((part) => part.toString("latin1"));
          say(`pub ${JSON.stringify([subjectOf(batch, i), replyOf(batch, i), ...body])}`);
        }
      },
      onInvalidSubject: (subject) => say(`invalid ${subject}`),
      onSubscribe: (filter, queue, sid) => say(`sub ${filter} ${queue} ${sid}`),
      onUnsubscribe: (sid, max) => say(`unsub ${sid} ${max}`),
      onConnect(json) {
        say(`connect ${json}`);
        isPaused = true;
        parser.pause();
      },
      onTooEarly() {
        say("too early");
        isPaused = true;
        parser.pause();
      },
      onPing: () => say("ping"),
      onPong: () => say("pong"),
    },
    new BatchBuilder(),
    PAYLOAD_BYTES_MAX,
  );
  try {
    let from = 0;
    for (const to of [...cuts, input.length, input.length + 1]) {
      isGood = to > input.length;
      const chunk = to > input.length ? Buffer.from("\n") : Buffer.from(input.subarray(from, to));
      parser.parse(chunk);
      chunk.fill(0x58);
      from = to;
      while (isPaused) {
        isPaused = false;
        parser.admit();
        parser.resume();
      }
    }
    return { events, breach: undefined, isGood };
  } catch (error) {
    if (!(error instanceof ProtocolError))
      throw new Error(`threw ${(error as Error).stack}; input ${input.toString("hex")}`, { cause: error });
    return { events, breach: `${error.code} ${error.message}`, isGood };
  }
}

function differenceOf(whole: Heard, cut: Heard): string | undefined {
  if (whole.breach !== cut.breach) return `whole: ${whole.breach ?? "good"}, cut: ${cut.breach ?? "good"}`;
  const length = Math.max(whole.events.length, cut.events.length);
  for (let i = 0; i < length; i++)
    if (whole.events[i] !== cut.events[i]) return `event ${i}: whole ${whole.events[i]}, cut ${cut.events[i]}`;
  return undefined;
}

function nextInput(random: Random): Buffer {
  if (random() < 1 / LARGE_EVERY) return largeInput(random);
  const count = 1 + Math.floor(random() * 5);
  const first = random() < 0.8 ? `${pick(random, CONNECTS.slice(0, random() < 0.9 ? 2 : 5))}\r\n` : "";
  const input = Buffer.from(first + Array.from({ length: count }, () => element(random)).join(""), "latin1");
  return random() < 0.4 ? input : mutate(input, Buffer.from(element(random), "latin1"), random);
}

/** Something close to what the grammar allows. */
function element(random: Random): string {
  const end = pick(random, ENDS);
  const blank = () => (random() < 0.9 ? " " : pick(random, ["\t", "  ", ""]));
  const size = (value: number) => (random() < 0.97 ? String(value) : pick(random, NUMBERS));
  const payload = pick(random, ["", "x", "hello", "\r\n", "PING\r\n"]);
  const subject = random() < 0.8 ? pick(random, SUBJECTS.slice(0, 4)) : pick(random, SUBJECTS);
  const reply = random() < 0.3 ? blank() + pick(random, SUBJECTS) : "";
  const address = `${blank()}${subject}${reply}`;
  switch (Math.floor(random() * 7)) {
    case 0:
      return `SUB${blank()}${pick(random, SUBJECTS)}${random() < 0.3 ? " workers" : ""} ${pick(random, NUMBERS)}${end}`;
    case 1:
      return `UNSUB ${pick(random, NUMBERS)}${random() < 0.5 ? ` ${pick(random, NUMBERS)}` : ""}${end}`;
    case 2:
      return pick(random, ["PING", "PONG", "ping", "PINGS", "INFO {}", "+OK", "-ERR 'x'", ""]) + end;
    case 3: {
      const headers = `NATS/1.0\r\n${"k: v\r\n".repeat(Math.floor(random() * 3))}\r\n`;
      return `HPUB${address}${blank()}${size(headers.length)}${blank()}${size(headers.length + payload.length)}${end}${headers}${payload}\r\n`;
    }
    default:
      return `${random() < 0.9 ? "PUB" : "pub"}${address}${blank()}${size(payload.length)}${end}${payload}\r\n`;
  }
}

function largeInput(random: Random): Buffer {
  const near = (limit: number) => limit - 3 + Math.floor(random() * 7);
  const hello = "CONNECT {}\r\n";
  switch (Math.floor(random() * 5)) {
    case 0: // a line at its limit, ended or not
      return Buffer.from(`${"CONNECT ".padEnd(near(CLIENT_LINE_BYTES_MAX), "x")}${pick(random, ENDS)}PING\r\n`);
    case 1:
      return Buffer.from(`${hello}PUB ${"a".repeat(near(CLIENT_LINE_BYTES_MAX - 6))} 0\r\n\r\n`);
    case 2: // a message at its limit, and what it announces never comes
      return Buffer.from(`${hello}PUB a ${near(PAYLOAD_BYTES_MAX)}\r\n${"x".repeat(Math.floor(random() * 100))}`);
    case 3: // more messages than a batch holds
      return Buffer.from(hello + "PUB a 1\r\nx\r\n".repeat(BATCH_MAX - 10 + Math.floor(random() * 20)));
    default: {
      const payload = "y".repeat(Math.floor(random() * PAYLOAD_BYTES_MAX));
      return Buffer.from(`${hello}PUB big r ${payload.length}\r\n${payload}\r\nPING\r\n`);
    }
  }
}

function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)]!;
}

/** Notes the largest slab anybody asks for while it is watched. A pause may make the parser keep the rest of a chunk. */
function watchSlabs(): Disposable & { readonly largest: number; complaint(inputBytes: number): string | undefined } {
  const original = Buffer.allocUnsafeSlow;
  let largest = 0;
  let latest = 0;
  Buffer.allocUnsafeSlow = (size) => {
    latest = Math.max(latest, size);
    return original(size);
  };
  return {
    get largest() {
      return largest;
    },
    complaint(inputBytes) {
      const asked = latest;
      latest = 0;
      largest = Math.max(largest, asked);
      return asked > Math.max(SLAB_BYTES_MAX, 2 * inputBytes) ? `the parser asked for ${asked} bytes at once` : undefined;
    },
    [Symbol.dispose]() {
      Buffer.allocUnsafeSlow = original;
    },
  };
}

function describe(seed: number, index: number, input: Buffer, cuts: readonly number[], complaint: string): string {
  const short = shortened(input, cuts);
  return [
    `the client parser differs when its input is cut (seed ${seed}, input ${index}): ${complaint}`,
    `shortened to ${short.length} bytes: ${JSON.stringify(short.toString("latin1").slice(0, 2000))}, cut at [${cutsWithin(cuts, short.length).join(", ")}]`,
    `there: ${complaintOf(short, cuts)}`,
  ].join("\n");
}

function complaintOf(input: Buffer, cuts: readonly number[]): string | undefined {
  return differenceOf(hear(input, []), hear(input, cutsWithin(cuts, input.length)));
}

function cutsWithin(cuts: readonly number[], length: number): readonly number[] {
  return cuts.filter((cut) => cut <= length);
}

/** Takes out ever smaller pieces as long as it still goes wrong. */
function shortened(input: Buffer, cuts: readonly number[]): Buffer {
  let best = input;
  for (let piece = Math.ceil(input.length / 2); piece >= 1; piece = piece === 1 ? 0 : Math.ceil(piece / 2)) {
    for (let at = 0; at + piece <= best.length; ) {
      const shorter = Buffer.concat([best.subarray(0, at), best.subarray(at + piece)]);
      if (complaintOf(shorter, cuts) !== undefined) best = shorter;
      else at += piece;
    }
  }
  return best;
}
