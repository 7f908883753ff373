// One raw MQTT 3.1.1 connection of the load: packets encoded beforehand go out, what comes in is counted and answered as its QoS
// demands, with one write for each chunk that was read.

import * as net from "node:net";

export type Qos = 0 | 1 | 2;

/** Of every PUBLISH; the first eight bytes are the time at which it was sent, in milliseconds, where somebody looks. */
export const BENCH_PAYLOAD_BYTES = 120;
const READ_BYTES = 262_144;
const ANSWERS_BYTES = 262_144;

export interface ClientHandler {
  /** A PUBLISH came; its payload starts there. */
  onMessage(bytes: Buffer, at: number): void;
  /** A PUBLISH of ours is acknowledged to the end. */
  onAcked(): void;
  /** A chunk was read and answered. */
  onChunk(): void;
}

export class BenchClient implements Disposable {
  readonly #socket: net.Socket;
  readonly #handler: ClientHandler;
  readonly #answers = Buffer.alloc(ANSWERS_BYTES);
  #answersEnd = 0;
  /** Of a packet that is not whole yet. */
  #rest: Buffer = Buffer.alloc(0);
  #waiting = Promise.withResolvers<void>();

  static async open(port: number, clientId: string, handler: ClientHandler): Promise<BenchClient> {
    const benchClient = new BenchClient(port, handler);
    benchClient.#socket.write(connectPacket(clientId));
    try {
      await benchClient.#waiting.promise;
      return benchClient;
    } catch (error) {
      benchClient[Symbol.dispose]();
      throw error;
    }
  }

  private constructor(port: number, handler: ClientHandler) {
    this.#handler = handler;
    this.#socket = net.connect({
      host: "127.0.0.1",
      port,
      noDelay: true,
      onread: {
        buffer: Buffer.alloc(READ_BYTES),
        callback: (count, buffer) => this.#onBytes(Buffer.from(buffer.buffer, buffer.byteOffset, count)),
      },
    });
    this.#socket.on("error", (error) => this.#waiting.reject(error));
    this.#socket.on("close", () => this.#waiting.reject(new Error("the broker closed the connection")));
  }

  async subscribe(filter: string, qos: Qos): Promise<void> {
    this.#waiting = Promise.withResolvers();
    const name = Buffer.from(filter);
    this.#socket.write(Buffer.concat([Buffer.of(0x82, 5 + name.length, 0, 1, 0, name.length), name, Buffer.of(qos)]));
    await this.#waiting.promise;
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  [Symbol.dispose](): void {
    this.#waiting.promise.catch(() => undefined);
    this.#socket.destroy();
  }

  #onBytes(chunk: Buffer): boolean {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (;;) {
      let end = at + 1;
      let length = 0;
      for (let shift = 0; end < bytes.length; shift += 7) {
        const byte = bytes[end]!;
        end += 1;
        length |= (byte & 127) << shift;
        if (byte < 128) break;
        if (end === bytes.length) end = Number.POSITIVE_INFINITY; // the length itself is not whole
      }
      if (end + length > bytes.length || at + 2 > bytes.length) break;
      this.#take(bytes, at, end);
      at = end + length;
    }
    this.#rest = at === bytes.length ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at));
    if (this.#answersEnd > 0) {
      this.#socket.write(Buffer.from(this.#answers.subarray(0, this.#answersEnd)));
      this.#answersEnd = 0;
    }
    this.#handler.onChunk();
    return true;
  }

  #take(bytes: Buffer, at: number, body: number): void {
    const header = bytes[at]!;
    switch (header >> 4) {
      case 2: // CONNACK
        if (bytes[body + 1] === 0) this.#waiting.resolve();
        else this.#waiting.reject(new Error(`CONNACK says ${bytes[body + 1]}`));
        break;
      case 3: {
        const qos = (header >> 1) & 3;
        const topicEnd = body + 2 + bytes.readUInt16BE(body);
        if (qos > 0) this.#answer(qos === 1 ? 0x40 : 0x50, bytes, topicEnd);
        this.#handler.onMessage(bytes, qos === 0 ? topicEnd : topicEnd + 2);
        break;
      }
      case 4: // PUBACK
      case 7: // PUBCOMP
        this.#handler.onAcked();
        break;
      case 5: // PUBREC
        this.#answer(0x62, bytes, body);
        break;
      case 6: // PUBREL
        this.#answer(0x70, bytes, body);
        break;
      case 9: // SUBACK
        this.#waiting.resolve();
        break;
    }
  }

  #answer(header: number, bytes: Buffer, idAt: number): void {
    if (this.#answersEnd + 4 > this.#answers.length) {
      this.#socket.write(Buffer.from(this.#answers));
      this.#answersEnd = 0;
    }
    this.#answers[this.#answersEnd++] = header;
    this.#answers[this.#answersEnd++] = 2;
    this.#answers[this.#answersEnd++] = bytes[idAt]!;
    this.#answers[this.#answersEnd++] = bytes[idAt + 1]!;
  }
}

/** A clean session, nobody's name, no keep-alive. */
function connectPacket(clientId: string): Buffer {
  const id = Buffer.from(clientId);
  const head = Buffer.of(0x10, 12 + id.length, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, id.length);
  return Buffer.concat([head, id]);
}

/** PUBLISHes of one topic, encoded one behind the other; at QoS 1 and 2 with the packet ids 1 … `packets`. */
export interface Block {
  readonly bytes: Buffer;
  readonly packetBytes: number;
  /** Where the payload of a packet starts within it. */
  readonly payloadAt: number;
}

export function publishBlock(topic: string, qos: Qos, packets: number): Block {
  const name = Buffer.from(topic);
  const body = 2 + name.length + (qos === 0 ? 0 : 2) + BENCH_PAYLOAD_BYTES;
  const length = body < 128 ? [body] : [(body & 127) | 128, body >> 7];
  const head = Buffer.concat([Buffer.of(0x30 | (qos << 1), ...length, 0, name.length), name]);
  const payloadAt = head.length + (qos === 0 ? 0 : 2);
  const packetBytes = payloadAt + BENCH_PAYLOAD_BYTES;
  const bytes = Buffer.alloc(packetBytes * packets, "x");
  for (let i = 0; i < packets; i++) {
    head.copy(bytes, i * packetBytes);
    if (qos > 0) bytes.writeUInt16BE(i + 1, i * packetBytes + head.length);
  }
  return { bytes, packetBytes, payloadAt };
}
