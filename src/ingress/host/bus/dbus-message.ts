// Messages of the D-Bus as bytes: enough to ask one question and to read any answer. Pure.
//
//   ┌ 'l' ┬ type ┬ flags ┬ 1 ┬ body bytes ┬ serial ┬ header fields: array of (code, variant) ┬ pad to 8 ┬ body ┐
//
// Everything is aligned to its own size, counted from the beginning of the message. What a peer sends is a claim: each length is checked
// against what is there, and values nest to a limit. Source: D-Bus Specification 0.43, "Message Protocol".

/** Whole messages longer than this are not read; a modem manager's answer for one modem has some 10 KiB. */
export const MESSAGE_BYTES_MAX = 1024 * 1024;
const FIXED_HEADER_BYTES = 16;
const DEPTH_MAX = 16;
/** The service is asked only if it runs: nobody is started for our sake. */
const NO_AUTO_START = 2;

const FIELD = { path: 1, interface: 2, member: 3, errorName: 4, replySerial: 5, destination: 6 } as const;

export interface MethodCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
}

export type BusValue = boolean | number | bigint | string | readonly BusValue[] | ReadonlyMap<BusValue, BusValue>;

export interface BusMessage {
  readonly kind: "answer" | "refusal" | "other";
  /** Of the call it answers; 0: of none. */
  readonly replySerial: number;
  readonly errorName: string | undefined;
  readonly body: readonly BusValue[];
}

/** A call without arguments. */
export function encodeCall(call: MethodCall, serial: number): Buffer {
  const fields = [
    [FIELD.path, "o", call.path],
    [FIELD.interface, "s", call.interface],
    [FIELD.member, "s", call.member],
    [FIELD.destination, "s", call.destination],
  ] as const;
  const header = Buffer.alloc(1024);
  header.write("l", 0, "latin1");
  header.set([1, NO_AUTO_START, 1], 1);
  header.writeUInt32LE(0, 4);
  header.writeUInt32LE(serial, 8);
  let at = FIXED_HEADER_BYTES;
  for (const [code, type, text] of fields) {
    at = align(at, 8);
    header[at] = code;
    header[at + 1] = 1;
    header.write(type, at + 2, "latin1");
    at = align(at + 4, 4);
    header.writeUInt32LE(text.length, at);
    at += 4 + header.write(text, at + 4, "latin1") + 1;
  }
  header.writeUInt32LE(at - FIXED_HEADER_BYTES, 12);
  return header.subarray(0, align(at, 8));
}

/** Bytes of the whole message that begins here; undefined: more is needed to know. Throws `RangeError` for what is no message. */
export function messageBytes(bytes: Buffer): number | undefined {
  if (bytes.length < FIXED_HEADER_BYTES) return undefined;
  if (bytes[0] !== 0x6c || bytes[3] !== 1) throw new RangeError("no little-endian D-Bus message of version 1");
  const whole = align(FIXED_HEADER_BYTES + bytes.readUInt32LE(12), 8) + bytes.readUInt32LE(4);
  if (whole > MESSAGE_BYTES_MAX) throw new RangeError(`a message of ${whole} bytes, the limit is ${MESSAGE_BYTES_MAX}`);
  return whole;
}

/** A whole message. Throws `RangeError` where it is not what it says it is. */
export function decodeMessage(bytes: Buffer): BusMessage {
  const fieldsEnd = FIXED_HEADER_BYTES + bytes.readUInt32LE(12);
  const reader = new Reader(bytes, FIXED_HEADER_BYTES, fieldsEnd);
  const fields = new Map<number, BusValue>();
  while (reader.at < fieldsEnd) {
    reader.align(8);
    const code = reader.value("y", 0) as number;
    fields.set(code, reader.value("v", 0));
  }
  const signature = fields.get(8);
  const body = new Reader(bytes, align(fieldsEnd, 8), bytes.length);
  const values = typeof signature === "string" ? splitTypes(signature).map((type) => body.value(type, 0)) : [];
  const replySerial = fields.get(FIELD.replySerial);
  const errorName = fields.get(FIELD.errorName);
  return {
    kind: bytes[1] === 2 ? "answer" : bytes[1] === 3 ? "refusal" : "other",
    replySerial: typeof replySerial === "number" ? replySerial : 0,
    errorName: typeof errorName === "string" ? errorName : undefined,
    body: values,
  };
}

class Reader {
  at: number;
  readonly #bytes: Buffer;
  readonly #end: number;

  constructor(bytes: Buffer, at: number, end: number) {
    if (end > bytes.length) throw new RangeError("a length beyond the message");
    this.#bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  align(size: number): void {
    this.at = align(this.at, size);
  }

  value(type: string, depth: number): BusValue {
    if (depth > DEPTH_MAX) throw new RangeError("values nest too deeply");
    switch (type[0]) {
      case "y":
        return this.#bytes.readUInt8(this.#take(1));
      case "b":
        return this.#bytes.readUInt32LE(this.#take(4)) === 1;
      case "n":
        return this.#bytes.readInt16LE(this.#take(2));
      case "q":
        return this.#bytes.readUInt16LE(this.#take(2));
      case "i":
        return this.#bytes.readInt32LE(this.#take(4));
      case "u":
      case "h":
        return this.#bytes.readUInt32LE(this.#take(4));
      case "x":
        return this.#bytes.readBigInt64LE(this.#take(8));
      case "t":
        return this.#bytes.readBigUInt64LE(this.#take(8));
      case "d":
        return this.#bytes.readDoubleLE(this.#take(8));
      case "s":
      case "o":
        return this.#text(this.#bytes.readUInt32LE(this.#take(4)));
      case "g":
        return this.#text(this.#bytes.readUInt8(this.#take(1)));
      case "v": {
        const inner = splitTypes(this.#text(this.#bytes.readUInt8(this.#take(1))));
        if (inner.length !== 1) throw new RangeError("a variant of not one type");
        return this.value(inner[0]!, depth + 1);
      }
      case "a":
        return this.#list(type.slice(1), depth + 1);
      case "(":
      case "{": {
        this.align(8);
        const members = splitTypes(type.slice(1, -1));
        if (members.length === 0) throw new RangeError("a struct of nothing"); // a list of those would never end
        return members.map((each) => this.value(each, depth + 1));
      }
      default:
        throw new RangeError(`a value of unknown type ${JSON.stringify(type)}`);
    }
  }

  #list(type: string, depth: number): BusValue {
    const length = this.#bytes.readUInt32LE(this.#take(4));
    this.align("({xtd".includes(type[0] ?? "(") ? 8 : 1);
    const end = this.at + length;
    if (end > this.#end) throw new RangeError("a list beyond the message");
    const items: BusValue[] = [];
    while (this.at < end) items.push(this.value(type, depth));
    if (!type.startsWith("{")) return items;
    return new Map(items as unknown as Iterable<readonly [BusValue, BusValue]>);
  }

  #text(length: number): string {
    const from = this.at;
    if (from + length + 1 > this.#end) throw new RangeError("a text beyond the message");
    this.at = from + length + 1; // and its zero
    return this.#bytes.toString("utf8", from, from + length);
  }

  /** Room for a value of this size, aligned to it. */
  #take(size: number): number {
    const from = align(this.at, size);
    if (from + size > this.#end) throw new RangeError("a value beyond the message");
    this.at = from + size;
    return from;
  }
}

/** `a{sv}u` → `a{sv}`, `u`. */
function splitTypes(signature: string): readonly string[] {
  const types: string[] = [];
  let from = 0;
  for (let at = 0; at < signature.length; at++) {
    if (signature[at] === "a") continue; // belongs to what follows
    if (signature[at] === "(" || signature[at] === "{") at = closing(signature, at);
    types.push(signature.slice(from, at + 1));
    from = at + 1;
  }
  if (from < signature.length) throw new RangeError(`a broken signature ${JSON.stringify(signature)}`);
  return types;
}

function closing(signature: string, open: number): number {
  let depth = 0;
  for (let at = open; at < signature.length; at++) {
    if (signature[at] === "(" || signature[at] === "{") depth += 1;
    else if ((signature[at] === ")" || signature[at] === "}") && --depth === 0) return at;
  }
  throw new RangeError(`a broken signature ${JSON.stringify(signature)}`);
}

function align(at: number, size: number): number {
  return Math.ceil(at / size) * size;
}
