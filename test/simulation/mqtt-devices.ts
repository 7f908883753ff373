// Model devices for the MQTT broker in a simulated world: 3.1.1 clients with kept sessions, which behave as the standard wants and
// remember everything, whatever happens to the broker. They speak bytes over a stream in memory.

import { Duplex } from "node:stream";
import { packet, puback, pubcomp, publish, pubrec, pubrel, subscribe, text } from "../wire/mqtt/harness.ts";

/** One network connection; what the broker writes goes to the device, packet by packet. */
class DeviceStream extends Duplex {
  readonly #onPacket: (first: number, body: Buffer) => void;
  #unread = Buffer.alloc(0);

  constructor(onPacket: (first: number, body: Buffer) => void) {
    super();
    this.#onPacket = onPacket;
  }

  override _read(): void {
    // bytes are pushed by `arrives`
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#unread = Buffer.concat([this.#unread, chunk]);
    for (;;) {
      const length = this.#unread[1];
      if (length === undefined || this.#unread.length < 2 + length) break; // model messages are short
      const body = this.#unread.subarray(2, 2 + length);
      const first = this.#unread[0]!;
      this.#unread = this.#unread.subarray(2 + length);
      this.#onPacket(first, body);
    }
    done();
  }

  arrives(bytes: Buffer): void {
    if (!this.destroyed) this.push(Buffer.from(bytes));
  }
}

abstract class Device {
  readonly #clientId: string;
  protected stream: DeviceStream | undefined;
  protected isIn = false;

  constructor(clientId: string) {
    this.#clientId = clientId;
  }

  get isConnected(): boolean {
    return this.isIn && this.stream?.destroyed === false;
  }

  dial(accept: (stream: Duplex) => void): void {
    this.vanish();
    const stream = new DeviceStream((first, body) => {
      if (this.stream === stream) this.#onPacket(first, body);
    });
    stream.on("error", () => undefined);
    this.stream = stream;
    accept(stream);
    stream.arrives(packet(0x10, text("MQTT"), Buffer.from([4, 0, 0, 0]), text(this.#clientId)));
  }

  vanish(): void {
    this.isIn = false;
    const { stream } = this;
    this.stream = undefined;
    stream?.destroy();
  }

  #onPacket(first: number, body: Buffer): void {
    if (first >> 4 !== 2) {
      this.on(first, body);
      return;
    }
    this.isIn = true;
    this.begin(body[0] === 1);
  }

  protected abstract begin(isPresent: boolean): void;
  protected abstract on(first: number, body: Buffer): void;

  protected send(bytes: Buffer): void {
    this.stream?.arrives(bytes);
  }
}

/** Publishes numbers, at QoS 1 and 2 in turn; resends what was not acknowledged. */
export class Publisher extends Device {
  /** Numbers that the broker has acknowledged: PUBACK or PUBREC. */
  readonly acknowledged = new Set<number>();
  readonly topic: string;
  readonly #open = new Map<number, { readonly number: number; readonly qos: 1 | 2; isReleased: boolean }>();
  #lastId = 0;
  #lastNumber = 0;

  constructor(clientId: string, topic: string) {
    super(clientId);
    this.topic = topic;
  }

  get unfinished(): number {
    return this.#open.size;
  }

  get published(): number {
    return this.#lastNumber;
  }

  publish(): void {
    if (!this.isConnected || this.#open.size > 50) return;
    do this.#lastId = (this.#lastId % 300) + 1;
    while (this.#open.has(this.#lastId));
    this.#lastNumber += 1;
    const qos = this.#lastNumber % 2 === 0 ? 2 : 1;
    this.#open.set(this.#lastId, { number: this.#lastNumber, qos, isReleased: false });
    this.send(publish(this.topic, `${this.#lastNumber}`, { packetId: this.#lastId, qos }));
  }

  protected begin(): void {
    for (const [packetId, { number, qos, isReleased }] of this.#open)
      this.send(isReleased ? pubrel(packetId) : publish(this.topic, `${number}`, { packetId, qos, dup: true }));
  }

  protected on(first: number, body: Buffer): void {
    const packetId = body.readUInt16BE(0);
    const open = this.#open.get(packetId);
    if (open === undefined) return;
    this.acknowledged.add(open.number);
    if (first >> 4 === 5) {
      open.isReleased = true;
      this.send(pubrel(packetId));
    } else this.#open.delete(packetId);
  }
}

/** Subscribes at QoS 2 and notes what it gets; acknowledges when told to. */
export class Subscriber extends Device {
  /** How often each `topic number` came, by the rules of its QoS. */
  readonly got = new Map<string, number>();
  readonly breaches: string[] = [];
  /** Of each message at first sight, by what it was: its identifier must not change. */
  readonly #ids = new Map<string, number>();
  readonly #received = new Set<number>();
  readonly #owed: Buffer[] = [];
  #isSubscribed = false;

  get isSubscribed(): boolean {
    return this.#isSubscribed;
  }

  get owed(): number {
    return this.#owed.length;
  }

  /** Sends so many of the acknowledgements it owes. */
  acknowledge(count: number): void {
    for (const bytes of this.#owed.splice(0, count)) this.send(bytes);
  }

  protected begin(isPresent: boolean): void {
    this.#owed.length = 0;
    if (this.#isSubscribed && !isPresent) this.breaches.push("its session was lost");
    if (!this.#isSubscribed) this.send(subscribe(1, ["a/#", 2]));
  }

  protected on(first: number, body: Buffer): void {
    const type = first >> 4;
    if (type === 9) this.#isSubscribed = true;
    else if (type === 6) {
      this.#received.delete(body.readUInt16BE(0));
      this.#owed.push(pubcomp(body.readUInt16BE(0)));
    } else if (type === 3) this.#onPublish(first, body);
  }

  #onPublish(first: number, body: Buffer): void {
    const qos = (first >> 1) & 3;
    const topicEnd = 2 + body.readUInt16BE(0);
    const packetId = body.readUInt16BE(topicEnd);
    const name = `${body.subarray(2, topicEnd)} ${body.subarray(topicEnd + 2)}`;
    const known = this.#ids.get(name);
    if (qos === 2 && known !== undefined && known !== packetId) this.breaches.push(`${name} under ${known} and ${packetId}`);
    // At QoS 1 it may be one its publisher had to send again: a message of its own.
    if (qos === 2 && known === packetId && (first & 8) === 0) this.breaches.push(`${name} again without DUP`);
    this.#ids.set(name, packetId);
    if (qos === 1) this.#owed.push(puback(packetId));
    else this.#owed.push(pubrec(packetId));
    if (qos === 2 && this.#received.has(packetId)) return;
    if (qos === 2) this.#received.add(packetId);
    this.got.set(name, (this.got.get(name) ?? 0) + 1);
  }
}
