// The far end of a WebSocket, in memory: answers one upgrade as told, then says and hears frames.
//
//   const hub = new FakeWebSocketHub();
//   const opening = openWebSocket(hub.near, …);
//   await hub.upgrade();      hub.say(frame(0x82, "INFO {}\r\n"));      await hub.hears(5)

import { createHash } from "node:crypto";
import { type Duplex, duplexPair } from "node:stream";

export interface HeardFrame {
  readonly first: number;
  readonly payload: Buffer;
}

export class FakeWebSocketHub {
  readonly near: Duplex;
  readonly far: Duplex;
  /** Whole head of the request. */
  request = "";
  readonly frames: HeardFrame[] = [];
  hasEnded = false;
  #seen = Buffer.alloc(0);
  #notify = Promise.withResolvers<void>();

  constructor() {
    [this.near, this.far] = duplexPair();
    this.far.on("data", (chunk: Buffer) => this.#take(chunk)).on("error", () => undefined);
    this.far.on("end", () => {
      this.hasEnded = true;
      this.#wake();
    });
  }

  /** Answers 101 as a hub does. `glued` comes in the same piece. */
  async upgrade(headers = "", glued: Buffer = Buffer.alloc(0)): Promise<void> {
    this.far.write(Buffer.concat([Buffer.from(await this.upgradeHead(headers)), glued]));
  }

  async upgradeHead(headers = ""): Promise<string> {
    await this.until(() => this.request !== "");
    const key = /^Sec-WebSocket-Key: (\S+)\r$/m.exec(this.request)?.[1];
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    const fixed = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n`;
    return `${fixed}${headers}\r\n`;
  }

  say(...frames: readonly Buffer[]): void {
    this.far.write(Buffer.concat(frames));
  }

  /** The first `count` frames, when they are there. */
  async hears(count: number): Promise<readonly HeardFrame[]> {
    await this.until(() => this.frames.length >= count);
    return this.frames.slice(0, count);
  }

  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await this.#notify.promise;
  }

  #take(chunk: Buffer): void {
    this.#seen = Buffer.concat([this.#seen, chunk]);
    if (this.request === "") {
      const end = this.#seen.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.request = this.#seen.toString("latin1", 0, end + 4);
      this.#seen = this.#seen.subarray(end + 4);
    }
    for (let frame = this.#nextFrame(); frame !== undefined; frame = this.#nextFrame()) this.frames.push(frame);
    this.#wake();
  }

  #nextFrame(): HeardFrame | undefined {
    const bytes = this.#seen;
    if (bytes.length < 2) return undefined;
    const short = bytes[1]! & 0x7f;
    if ((bytes[1]! & 0x80) === 0) throw new Error("a frame that is not masked");
    if (short === 127) throw new Error("a frame longer than ours get");
    const begin = short === 126 ? 8 : 6;
    if (bytes.length < begin) return undefined;
    const length = short === 126 ? bytes.readUInt16BE(2) : short;
    if (bytes.length < begin + length) return undefined;
    const mask = bytes.subarray(begin - 4, begin);
    const payload = Buffer.from(bytes.subarray(begin, begin + length).map((byte, i) => byte ^ mask[i % 4]!));
    this.#seen = bytes.subarray(begin + length);
    return { first: bytes[0]!, payload };
  }

  #wake(): void {
    this.#notify.resolve();
    this.#notify = Promise.withResolvers();
  }
}

/** A frame as hubs write them, not masked. `first` has FIN, RSV1 and opcode. */
export function frame(first: number, text: string | Buffer): Buffer {
  const payload = Buffer.from(text);
  const { length } = payload;
  if (length < 126) return Buffer.concat([Buffer.from([first, length]), payload]);
  const header = Buffer.from([first, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(length, 6);
  return Buffer.concat([header, payload]);
}

export function closeFrame(code: number, reason = ""): Buffer {
  return frame(0x88, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]));
}
