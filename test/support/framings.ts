// Every way of framing, with a device that speaks it: for unit tests, for ptys with noise, and for the fuzzer.

import type { FrameFault, FrameListener } from "#ingress/serial/framer.ts";
import type { FramingOptions, FramingType } from "#ingress/serial/framing-options.ts";
import { makeFramer } from "#ingress/serial/make-framer.ts";
import { crcModbus } from "#ingress/serial/modbus/crc.ts";
import { FakeClock } from "./fake-clock.ts";

export interface Speaker {
  readonly options: FramingOptions;
  /** The bytes a device sends for one frame. */
  encode(content: Buffer): Buffer;
  /** What must come out for it; most often the content itself. */
  frameOf(content: Buffer): Buffer;
  /** A content that this framing can carry, never empty. */
  content(random: () => number): Buffer;
  /** Bytes after which the next frame is found whatever came before; null: only silence helps. */
  readonly resync: Buffer | null;
}

export const MAX_FRAME = 64;
const GAP_MS = 50;

const plain = (content: Buffer): Buffer => content;

function anyBytes(random: () => number, max = 20): Buffer {
  return Buffer.from(Array.from({ length: 1 + Math.floor(random() * max) }, () => Math.floor(random() * 256)));
}

/** Letters and digits: bytes that no framing here gives a meaning. */
function anyText(random: () => number): Buffer {
  return Buffer.from(Array.from({ length: 1 + Math.floor(random() * 20) }, () => 0x61 + Math.floor(random() * 26)));
}

const FIXED_BYTES = 8;

/** One of each, some in two forms. */
export const SPEAKERS: Readonly<Record<string, Speaker>> = {
  line: {
    options: { type: "line", maxFrame: MAX_FRAME },
    encode: (content) => Buffer.concat([content, Buffer.from("\r\n")]),
    frameOf: plain,
    content: anyText,
    resync: Buffer.from("\n"),
  },
  delimiter: {
    options: { type: "delimiter", maxFrame: MAX_FRAME, delimiter: "=!#" },
    encode: (content) => Buffer.concat([content, Buffer.from("=!#")]),
    frameOf: plain,
    content: anyText,
    resync: Buffer.from("=!#"),
  },
  fixed: {
    options: { type: "fixed", maxFrame: MAX_FRAME, length: FIXED_BYTES, start: "", gap: GAP_MS },
    encode: plain,
    frameOf: plain,
    content: (random) => Buffer.from(Array.from({ length: FIXED_BYTES }, () => Math.floor(random() * 256))),
    resync: null,
  },
  "fixed with a mark": {
    options: { type: "fixed", maxFrame: MAX_FRAME, length: FIXED_BYTES, start: "\xaa\x55", gap: GAP_MS },
    encode: plain,
    frameOf: plain,
    content: (random) =>
      Buffer.concat([Buffer.from([0xaa, 0x55]), anyText(random), Buffer.alloc(FIXED_BYTES)]).subarray(0, FIXED_BYTES),
    resync: null,
  },
  "length prefix of 1 byte": lengthPrefix(1, "big", false),
  "length prefix of 2 bytes": lengthPrefix(2, "little", true),
  "length prefix of 4 bytes": lengthPrefix(4, "big", true),
  "start and end": {
    options: { type: "start_end", maxFrame: MAX_FRAME, start: "\x02", end: "\x03" },
    encode: (content) => Buffer.concat([Buffer.of(2), content, Buffer.of(3)]),
    frameOf: plain,
    content: anyText,
    resync: Buffer.alloc(0),
  },
  "start and end alike": {
    options: { type: "start_end", maxFrame: MAX_FRAME, start: "~", end: "~" },
    encode: (content) => Buffer.concat([Buffer.from("~"), content, Buffer.from("~")]),
    frameOf: plain,
    content: anyText,
    resync: Buffer.from("~"),
  },
  cobs: {
    options: { type: "cobs", maxFrame: MAX_FRAME },
    encode: encodeCobs,
    frameOf: plain,
    content: (random) => anyBytes(random, MAX_FRAME),
    resync: Buffer.of(0),
  },
  slip: {
    options: { type: "slip", maxFrame: MAX_FRAME },
    encode: encodeSlip,
    frameOf: plain,
    content: (random) => anyBytes(random, MAX_FRAME),
    resync: Buffer.of(0xc0),
  },
  "idle gap": {
    options: { type: "idle_gap", maxFrame: MAX_FRAME, gap: GAP_MS },
    encode: plain,
    frameOf: plain,
    content: anyBytes,
    resync: null,
  },
  "line with its sum in hex": checked({ type: "line", maxFrame: MAX_FRAME }, "hex", anyText, (frame) =>
    Buffer.concat([frame, Buffer.from("\r\n")]),
  ),
  "cobs with a checksum": checked({ type: "cobs", maxFrame: MAX_FRAME }, "bytes", anyBytes, encodeCobs),
  "fixed with a checksum": checked(
    { type: "fixed", maxFrame: MAX_FRAME, length: FIXED_BYTES + 2, start: "", gap: GAP_MS },
    "bytes",
    (random) => Buffer.from(Array.from({ length: FIXED_BYTES }, () => Math.floor(random() * 256))),
    plain,
  ),
  "fixed with a mark and a checksum": checked(
    { type: "fixed", maxFrame: MAX_FRAME, length: FIXED_BYTES + 2, start: "\xaa", gap: GAP_MS },
    "bytes",
    (random) => Buffer.from([0xaa, ...Array.from({ length: FIXED_BYTES - 1 }, () => (random() < 0.3 ? 0xaa : 0x55))]),
    plain,
  ),
  "start and end with a sum in hex": checked(
    { type: "start_end", maxFrame: MAX_FRAME, start: "\x02", end: "\x03" },
    "hex",
    anyText,
    (frame) => Buffer.concat([Buffer.of(2), frame, Buffer.of(3)]),
  ),
  nmea: {
    options: { type: "nmea", maxFrame: MAX_FRAME, checksum: "required" },
    encode: (content) => Buffer.concat([content, Buffer.from("\r\n")]),
    frameOf: plain,
    content: (random) => nmeaSentence(`GPXXX,${anyText(random)}`),
    resync: Buffer.alloc(0),
  },
  "modbus rtu": {
    options: { type: "modbus_rtu", maxFrame: 256, gap: GAP_MS },
    encode: withCrc,
    frameOf: plain,
    content: (random) => modbusFrame(random),
    resync: null,
  },
};

export const FRAMING_TYPES_SPOKEN: ReadonlySet<FramingType> = new Set(Object.values(SPEAKERS).map(({ options }) => options.type));

/** Writes down what a framer says. */
export class FrameRecorder implements FrameListener {
  readonly frames: string[] = [];
  /** Frames, oversizes and faults in their order; noise that follows noise is one. */
  readonly events: string[] = [];
  readonly bytesOf: Record<FrameFault, number> = { noise: 0, checksum: 0, escape: 0, torn: 0 };
  readonly countOf: Record<FrameFault, number> = { noise: 0, checksum: 0, escape: 0, torn: 0 };
  oversizes = 0;
  #noise = 0;

  onFrame(bytes: Buffer, start: number, end: number): void {
    const hex = bytes.toString("hex", start, end);
    this.frames.push(hex);
    this.#say(hex);
  }

  onOversize(): void {
    this.oversizes += 1;
    this.#say("oversize");
  }

  onFault(fault: FrameFault, bytes: number): void {
    this.bytesOf[fault] += bytes;
    this.countOf[fault] += 1;
    if (fault === "noise") this.#noise += bytes;
    else this.#say(`${fault} ${bytes}`);
  }

  #say(event: string): void {
    if (this.#noise > 0) this.events.push(`noise ${this.#noise}`);
    this.#noise = 0;
    this.events.push(event);
  }
}

/** What comes of these chunks, each lent and then spoilt, and of the silence behind the last. `gapsAfter`: silence after these chunks, too. */
export function hear(
  options: FramingOptions,
  chunks: readonly Uint8Array[],
  gapsAfter: ReadonlySet<number> = new Set(),
): FrameRecorder {
  const recorder = new FrameRecorder();
  const clock = new FakeClock();
  const framer = makeFramer(options, recorder, { baudRate: 9600, bitsPerCharacter: 10 }, clock);
  for (const [i, chunk] of chunks.entries()) {
    const lent = Buffer.from(chunk);
    framer.feed(lent);
    lent.fill(0xee);
    if (gapsAfter.has(i)) clock.advance(1000);
  }
  clock.advance(1000);
  const held = framer.reset();
  if (held > options.maxFrame + 16) throw new Error(`${held} bytes held, limit ${options.maxFrame}`);
  if (clock.pending > 0) throw new Error("a timer is left behind");
  return recorder;
}

export function hexOf(frames: readonly Buffer[]): string[] {
  return frames.map((frame) => frame.toString("hex"));
}

/** A sentence with its checksum, `$` in front. */
export function nmeaSentence(body: string): Buffer {
  const sum = [...Buffer.from(body, "latin1")].reduce((left, byte) => left ^ byte, 0);
  return Buffer.from(`$${body}*${sum.toString(16).toUpperCase().padStart(2, "0")}`, "latin1");
}

export function withCrc(content: Buffer): Buffer {
  const crc = crcModbus(content, 0, content.length);
  return Buffer.concat([content, Buffer.of(crc & 0xff, crc >>> 8)]);
}

/** A question or an answer, without its checksum. */
function modbusFrame(random: () => number): Buffer {
  const unit = 1 + Math.floor(random() * 247);
  const count = 1 + Math.floor(random() * 16);
  if (random() < 0.5) return Buffer.of(unit, 3, 0, Math.floor(random() * 256), 0, count);
  if (random() < 0.2) return Buffer.of(unit, 0x83, 2);
  return Buffer.concat([
    Buffer.of(unit, 3, count * 2),
    Buffer.from(Array.from({ length: count * 2 }, () => Math.floor(random() * 256))),
  ]);
}

/** Each frame ends with CRC-16/MODBUS, as bytes or as hex digits. */
function checked(
  options: FramingOptions,
  as: "bytes" | "hex",
  content: Speaker["content"],
  encode: (frame: Buffer) => Buffer,
): Speaker {
  return {
    options: { ...options, checked: { type: "crc16_modbus", from: 0, endian: "little", as } },
    encode: (bytes) => {
      const whole = withCrc(bytes);
      return encode(as === "bytes" ? whole : Buffer.concat([bytes, Buffer.from(whole.subarray(-2).toString("hex"))]));
    },
    frameOf: plain,
    content,
    resync: { line: Buffer.from("\n"), cobs: Buffer.of(0) }[options.type as string] ?? null,
  };
}

function lengthPrefix(lengthBytes: 1 | 2 | 4, endian: "big" | "little", isIncluded: boolean): Speaker {
  const mark = Buffer.from([0x7e, 0xa5]);
  const frameOf = (content: Buffer): Buffer => {
    const header = Buffer.alloc(mark.length + lengthBytes);
    mark.copy(header);
    const length = content.length + (isIncluded ? header.length : 0);
    if (endian === "big") header.writeUIntBE(length, mark.length, lengthBytes);
    else header.writeUIntLE(length, mark.length, lengthBytes);
    return Buffer.concat([header, content]);
  };
  return {
    options: {
      type: "length_prefix",
      maxFrame: MAX_FRAME,
      start: mark.toString("latin1"),
      gap: GAP_MS,
      headerOffset: mark.length,
      lengthBytes,
      endian,
      lengthIncludesHeader: isIncluded,
      lengthAdd: 0,
    },
    encode: frameOf,
    frameOf,
    content: anyText,
    resync: null,
  };
}

function encodeSlip(content: Buffer): Buffer {
  const bytes = [...content].flatMap((byte) => (byte === 0xc0 ? [0xdb, 0xdc] : byte === 0xdb ? [0xdb, 0xdd] : [byte]));
  return Buffer.from([0xc0, ...bytes, 0xc0]);
}

/** The plain way: cut at the zeros, then into blocks of 254 at most. */
function encodeCobs(content: Buffer): Buffer {
  const out: number[] = [];
  let block: number[] = [];
  for (const byte of content) {
    if (byte !== 0) block.push(byte);
    if (byte === 0 || block.length === 254) {
      out.push(block.length + 1, ...block);
      block = [];
    }
  }
  return Buffer.from([...out, block.length + 1, ...block, 0]);
}
