// Fuzzes what reads the bytes of serial devices.
//
// Framers: frames with garbage around and within them, cut anywhere, must say what they say uncut, count every byte of noise alike, hold no
// more than their limit, leave no timer behind, and be back in step for the frames behind the garbage.
//
// Decoders: frames, good and damaged, must come back with messages or a fault and never throw; a message has a literal subject, a payload
// that is JSON (but for text and raw) and whole headers. Two decoders that heard the same say the same.

import { displaySubject, isValidSubject } from "#core/subject.ts";
import type { Decoder } from "#ingress/serial/decoder.ts";
import { makeDecoder } from "#ingress/serial/make-decoder.ts";
import { WRITTEN, type Written } from "../../../test/support/decoders.ts";
import { hear, hexOf, SPEAKERS, type Speaker } from "../../../test/support/framings.ts";
import { seededRandom } from "../../../test/support/seeded-random.ts";
import type { FuzzOptions, FuzzResult } from "./leaf.ts";
import { nextCuts } from "./leaf-inputs.ts";
import { mutate } from "./mutate-bytes.ts";

const ROUND = 1000;

type Random = () => number;

export async function fuzzFrames(options: FuzzOptions): Promise<FuzzResult> {
  const random = seededRandom(options.seed);
  const startedMs = performance.now();
  const seconds = () => (performance.now() - startedMs) / 1000;
  const pairs = Object.values(WRITTEN).map(openPair);
  const speakers = Object.entries(SPEAKERS);
  let [inputs, accepted, bytes, frames] = [0, 0, 0, 0];
  while (inputs < options.inputs && seconds() < (options.seconds ?? Number.POSITIVE_INFINITY)) {
    for (const end = Math.min(options.inputs, inputs + ROUND); inputs < end; inputs++) {
      if (inputs % 2 === 0) {
        const [name, speaker] = pick(random, speakers);
        const heard = fuzzFramer(speaker, random, `${name}, input ${inputs}, seed ${options.seed}`);
        bytes += heard.bytes;
        frames += heard.frames;
        accepted += 1;
      } else {
        const pair = pick(random, pairs);
        const frame = nextFrame(pair.written, random);
        bytes += frame.length;
        if (fuzzDecoder(pair, frame, `input ${inputs}, seed ${options.seed}`)) accepted += 1;
      }
    }
    await new Promise((resolve) => setImmediate(resolve));
    options.signal.throwIfAborted();
  }
  const note = `${frames.toLocaleString("en")} frames came out, whole and cut agree, and every framer found back into step`;
  return { inputs, accepted, bytes, seconds: seconds(), seed: options.seed, note };
}

function fuzzFramer(speaker: Speaker, random: Random, where: string): { readonly bytes: number; readonly frames: number } {
  const garbage = Buffer.concat(Array.from({ length: 1 + below(random, 6) }, () => nextPart(speaker, random)));
  const cuts = nextCuts(random, garbage.length);
  const whole = hear(speaker.options, [garbage]);
  const cut = hear(speaker.options, cutAt(garbage, cuts));
  const said = JSON.stringify([whole.events, whole.bytesOf]);
  if (JSON.stringify([cut.events, cut.bytesOf]) !== said) {
    throw new Error(`${where}: cut at ${cuts} ${garbage.toString("hex")} says ${JSON.stringify(cut.events)}, whole ${said}`);
  }
  const contents = Array.from({ length: 3 }, () => speaker.content(random));
  const { resync } = speaker;
  const chunks = [garbage, ...(resync === null ? [] : [resync]), ...contents.map((content) => speaker.encode(content))];
  const gaps = new Set(speaker.options.type === "idle_gap" ? chunks.keys() : resync === null ? [0] : []);
  const found = hear(speaker.options, chunks, gaps).frames.slice(-contents.length);
  const expected = hexOf(contents.map((content) => speaker.frameOf(content)));
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new Error(`${where}: behind ${garbage.toString("hex")} came ${found}, wanted ${expected}`);
  }
  return { bytes: garbage.length, frames: whole.frames.length + found.length };
}

function nextPart(speaker: Speaker, random: Random): Buffer {
  const frame = speaker.encode(speaker.content(random));
  const kind = random();
  if (kind < 0.4) return frame;
  if (kind < 0.7) return mutate(frame, speaker.encode(speaker.content(random)), random);
  return Buffer.from(Array.from({ length: 1 + below(random, 60) }, () => below(random, 256)));
}

/** Two decoders of the same settings: what one says, the other must say. */
interface Pair {
  readonly written: Written;
  readonly decoders: readonly Decoder[];
  readonly said: string[][];
}

function openPair(written: Written): Pair {
  const said: string[][] = [[], []];
  const decoders = said.map((words) =>
    makeDecoder({ name: "fuzz", subject: written.subject, decode: written.decode }, (subject, bytes, start, end, headers) => {
      words.push(subject, bytes.toString("utf8", start, end), headers?.toString("utf8") ?? "");
    }),
  );
  return { written, decoders, said };
}

/** Returns whether the frame was good. */
function fuzzDecoder({ written, decoders, said }: Pair, frame: Buffer, where: string): boolean {
  const { type } = written.decode;
  const place = `${type}, ${where}: ${frame.toString("hex")}`;
  const around = Buffer.concat([Buffer.from('"}'), frame, Buffer.from('{",')]);
  const faults = decoders.map((decoder, i) => {
    said[i]!.length = 0;
    const bytes = Buffer.from(i === 0 ? around : frame);
    const from = i === 0 ? 2 : 0;
    try {
      return decoder.decode(bytes, from, from + frame.length);
    } catch (error) {
      throw new Error(`${place}: ${(error as Error).stack}`);
    }
  });
  if (faults[0] !== faults[1] || said[0]!.join("\0") !== said[1]!.join("\0")) {
    throw new Error(`${place}: depends on what lies around it: ${faults.join(" or ")}; ${said.join(" or ")}`);
  }
  for (let i = 0; i < said[0]!.length; i += 3) {
    const [subject, payload, headers] = said[0]!.slice(i) as [string, string, string];
    if (!isValidSubject(subject)) throw new Error(`${place}: subject ${displaySubject(subject)}`);
    if (headers !== "" && !/^NATS\/1\.0\r\n(?:Petiole-\w+: [^\r\n]+\r\n)+\r\n$/.test(headers))
      throw new Error(`${place}: headers ${headers}`);
    if (type !== "raw" && type !== "text") JSON.parse(payload);
  }
  return faults[0] === undefined;
}

function nextFrame({ frames }: Written, random: Random): Buffer {
  const frame = pick(random, frames);
  const kind = random();
  if (kind < 0.4) return frame;
  if (kind < 0.9) return mutate(frame, pick(random, frames), random);
  return Buffer.from(Array.from({ length: below(random, 60) }, () => below(random, 256)));
}

function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places, bytes.length];
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

function pick<T>(random: Random, items: readonly T[]): T {
  return items[below(random, items.length)]!;
}

function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}
