// A method return of the D-Bus, written by the specification and not by what reads it.

export type Typed = readonly [signature: string, value: unknown];

export function busAnswer(replySerial: number, [signature, value]: Typed): Buffer {
  const body = new Writer();
  body.put(signature, value);
  const fields = new Writer();
  for (const [code, field] of [
    [5, ["u", replySerial]],
    [8, ["g", signature]],
  ] as const) {
    fields.pad(8);
    fields.put("y", code);
    fields.put("v", field);
  }
  const head = Buffer.alloc(16);
  head.set([0x6c, 2, 1, 1]);
  head.writeUInt32LE(body.bytes.length, 4);
  head.writeUInt32LE(1, 8);
  head.writeUInt32LE(fields.bytes.length, 12);
  const front = Buffer.concat([head, Buffer.from(fields.bytes)]);
  return Buffer.concat([front, Buffer.alloc((8 - (front.length % 8)) % 8), Buffer.from(body.bytes)]);
}

/** Begins at a multiple of 8 of the message, as header fields and bodies do. */
class Writer {
  readonly bytes: number[] = [];

  pad(size: number): void {
    while (this.bytes.length % size !== 0) this.bytes.push(0);
  }

  put(type: string, value: unknown): void {
    switch (type[0]) {
      case "y":
        this.bytes.push(value as number);
        return;
      case "b":
      case "u":
      case "i":
        this.#word(Number(value));
        return;
      case "s":
      case "o": {
        const text = Buffer.from(value as string);
        this.#word(text.length);
        this.bytes.push(...text, 0);
        return;
      }
      case "g": {
        const text = Buffer.from(value as string);
        this.bytes.push(text.length, ...text, 0);
        return;
      }
      case "v": {
        const [inner, content] = value as Typed;
        this.put("g", inner);
        this.put(inner, content);
        return;
      }
      case "(":
        this.pad(8);
        for (const [i, each] of [...type.slice(1, -1)].entries()) this.put(each, (value as readonly unknown[])[i]); // plain members only
        return;
      case "a":
        this.#list(type.slice(1), value);
        return;
      default:
        throw new Error(`no writer for ${type}`);
    }
  }

  #list(type: string, value: unknown): void {
    this.pad(4);
    const lengthAt = this.bytes.length;
    this.bytes.push(0, 0, 0, 0);
    if (type.startsWith("{") || type.startsWith("(")) this.pad(8);
    const from = this.bytes.length;
    if (type.startsWith("{")) {
      for (const [key, content] of value as ReadonlyMap<unknown, unknown>) {
        this.pad(8);
        this.put(type[1]!, key);
        this.put(type.slice(2, -1), content);
      }
    } else for (const each of value as readonly unknown[]) this.put(type, each);
    const length = this.bytes.length - from;
    for (let i = 0; i < 4; i++) this.bytes[lengthAt + i] = (length >>> (8 * i)) & 0xff;
  }

  #word(value: number): void {
    this.pad(4);
    for (let i = 0; i < 4; i++) this.bytes.push((value >>> (8 * i)) & 0xff);
  }
}
