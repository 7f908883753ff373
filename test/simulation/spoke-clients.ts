// Devices and programs around the spoke: MQTT clients that keep QoS 1 until its PUBACK and send it again after a reconnect, and NATS
// clients that ask for `Petiole-Ack: safe`. Each keeps its messages in order and speaks on subjects of its own.

import mqtt from "mqtt-packet";
import type { Millis } from "#base/clock.ts";
import type { ByteStream } from "#base/net.ts";
import type { FakeClock } from "../support/fake-clock.ts";
import type { Rule } from "./spoke-settings.ts";
import { check, type Sent, type Truth } from "./spoke-truth.ts";

/** Messages a client has on their way before it waits for an answer. */
const UNDER_WAY_MAX = 60;
/** Doubled with each connection over which nothing was acknowledged: a spoke without room is asked less and less. */
const RECONNECT_MS: Millis = 50;
const RECONNECT_MS_MAX: Millis = 3200;
const SAFE = "NATS/1.0\r\nPetiole-Ack: safe\r\n\r\n";

export interface ClientDeps {
  readonly name: string;
  readonly clock: FakeClock;
  readonly truth: Truth;
  /** undefined: refused. */
  connect(): ByteStream | undefined;
  /** The network breaks this connection. */
  break(stream: ByteStream): void;
}

/** A message as its publisher means it; sent again it becomes another transmission. */
interface Message {
  readonly subject: string;
  readonly rule: Rule;
  readonly isAsked: boolean;
  readonly padBytes: number;
  sent: Sent | undefined;
  isAgain: boolean;
}

/** What both kinds share: a connection that comes back, and a queue of what is not acknowledged. */
abstract class Client {
  protected readonly deps: ClientDeps;
  protected stream: ByteStream | undefined;
  protected isReady = false;
  /** In order: under way first, then those that wait. */
  protected readonly unacknowledged: Message[] = [];
  #underWay = 0;
  #timer: Disposable | undefined;
  #delay: Millis = RECONNECT_MS;
  #isClosed = false;

  constructor(deps: ClientDeps) {
    this.deps = deps;
  }

  start(): void {
    this.#connect();
  }

  get name(): string {
    return this.deps.name;
  }

  /** Messages it waits for. */
  get owed(): number {
    return this.unacknowledged.length;
  }

  /** `isAsked`: with QoS 1, or the wish to hear when it is safe. */
  publish(subject: string, rule: Rule, isAsked: boolean, padBytes: number): void {
    const message: Message = { subject, rule, isAsked, padBytes, sent: undefined, isAgain: false };
    if (isAsked) {
      this.unacknowledged.push(message);
      this.#sendMore();
    } else if (this.isReady) this.send(this.#transmission(message), undefined);
  }

  /** The connection breaks. */
  breakOff(): void {
    if (this.stream !== undefined) this.deps.break(this.stream);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.[Symbol.dispose]();
    this.stream?.destroy();
  }

  protected abstract greet(stream: ByteStream): void;
  protected abstract hear(chunk: Buffer): void;
  protected abstract send(sent: Sent, message: Message | undefined): void;

  protected onReady(): void {
    this.isReady = true;
    this.#underWay = 0;
    this.#sendMore();
  }

  /** `message` is acknowledged in the form it was sent over this connection. */
  protected onAcknowledged(message: Message): void {
    check(message.sent !== undefined, () => `${this.name}: acknowledged before it was sent`);
    this.deps.truth.acknowledge(message.sent);
    this.#delay = RECONNECT_MS;
    const at = this.unacknowledged.indexOf(message);
    this.unacknowledged.splice(at, 1);
    this.#underWay -= 1;
    this.#sendMore();
  }

  #sendMore(): void {
    while (this.isReady && this.#underWay < Math.min(UNDER_WAY_MAX, this.unacknowledged.length)) {
      const message = this.unacknowledged[this.#underWay++]!;
      message.isAgain = message.sent !== undefined;
      message.sent = this.#transmission(message);
      this.send(message.sent, message);
    }
  }

  #transmission({ subject, rule, isAsked, padBytes }: Message): Sent {
    const isKept = rule.keep === "always" || (rule.keep === "durable" && isAsked);
    return this.deps.truth.send(subject, rule, isKept, padBytes);
  }

  #connect(): void {
    const stream = this.deps.connect();
    if (stream === undefined) {
      this.#delay = RECONNECT_MS; // it is down
      this.#again();
      return;
    }
    this.stream = stream;
    stream.on("data", (chunk: Buffer) => {
      if (this.stream === stream) this.hear(chunk);
    });
    stream.on("error", () => undefined);
    stream.on("close", () => {
      if (this.stream !== stream) return;
      this.stream = undefined;
      this.isReady = false;
      this.#again();
    });
    this.greet(stream);
  }

  #again(): void {
    if (this.#isClosed) return;
    this.#timer = this.deps.clock.after(this.#delay, () => this.#connect());
    this.#delay = Math.min(RECONNECT_MS_MAX, this.#delay * 2);
  }
}

export class SpokeMqttClient extends Client {
  #parser!: mqtt.Parser;
  readonly #packets = new Map<number, Message>();
  #packetId = 0;

  protected override greet(stream: ByteStream): void {
    this.#packets.clear();
    this.#parser = mqtt.parser();
    this.#parser.on("packet", (packet: mqtt.Packet) => this.#onPacket(packet));
    this.#parser.on("error", (error: Error) => check(false, () => `${this.name} got what is no MQTT: ${error.message}`));
    stream.write(
      mqtt.generate({ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: true, clientId: this.name, keepalive: 0 }),
    );
  }

  protected override hear(chunk: Buffer): void {
    this.#parser.parse(Buffer.from(chunk));
  }

  protected override send(sent: Sent, message: Message | undefined): void {
    const topic = sent.subject.replaceAll(".", "/");
    const payload = Buffer.from(sent.payload, "latin1");
    if (message === undefined) {
      this.stream!.write(mqtt.generate({ cmd: "publish", topic, payload, qos: 0, dup: false, retain: false }));
      return;
    }
    do this.#packetId = (this.#packetId % 65535) + 1;
    while (this.#packets.has(this.#packetId));
    this.#packets.set(this.#packetId, message);
    const more = { qos: 1 as const, dup: message.isAgain, retain: false, messageId: this.#packetId };
    this.stream!.write(mqtt.generate({ cmd: "publish", topic, payload, ...more }));
  }

  #onPacket(packet: mqtt.Packet): void {
    if (packet.cmd === "connack") {
      check(packet.returnCode === 0, () => `${this.name} was not let in: ${packet.returnCode}`);
      this.onReady();
    } else if (packet.cmd === "puback") {
      const message = this.#packets.get(packet.messageId!);
      check(message !== undefined, () => `${this.name}: a PUBACK for packet ${packet.messageId}, which is not under way`);
      this.#packets.delete(packet.messageId!);
      this.onAcknowledged(message);
    } else check(false, () => `${this.name}: unexpected ${packet.cmd}`);
  }
}

export class SpokeNatsClient extends Client {
  #text = "";
  readonly #replies = new Map<number, Message>();
  #lastReply = 0;

  protected override greet(stream: ByteStream): void {
    this.#text = "";
    this.#replies.clear();
    const options = { verbose: false, pedantic: false, headers: true, lang: "sim", version: "1", protocol: 1, name: this.name };
    stream.write(`CONNECT ${JSON.stringify(options)}\r\nSUB _INBOX.${this.name}.* 1\r\nPING\r\n`);
  }

  protected override hear(chunk: Buffer): void {
    this.#text += chunk.toString("latin1");
    for (let end = this.#text.indexOf("\r\n"); end >= 0; end = this.#text.indexOf("\r\n")) {
      const line = this.#text.slice(0, end);
      if (!line.startsWith("MSG ")) {
        this.#text = this.#text.slice(end + 2);
        this.#onLine(line);
        continue;
      }
      const bytes = Number(line.split(" ").at(-1));
      if (this.#text.length < end + 4 + bytes) return;
      const payload = this.#text.slice(end + 2, end + 2 + bytes);
      this.#text = this.#text.slice(end + 4 + bytes);
      this.#onMessage(line.split(" ")[1]!, payload);
    }
  }

  protected override send(sent: Sent, message: Message | undefined): void {
    const { subject, payload } = sent;
    if (message === undefined) {
      this.stream!.write(Buffer.from(`PUB ${subject} ${payload.length}\r\n${payload}\r\n`, "latin1"));
      return;
    }
    this.#lastReply += 1;
    this.#replies.set(this.#lastReply, message);
    const head = `HPUB ${subject} _INBOX.${this.name}.${this.#lastReply} ${SAFE.length} ${SAFE.length + payload.length}`;
    this.stream!.write(Buffer.from(`${head}\r\n${SAFE}${payload}\r\n`, "latin1"));
  }

  #onLine(line: string): void {
    if (line === "PING") this.stream?.write("PONG\r\n");
    else if (line === "PONG") this.onReady();
    else check(line.startsWith("INFO ") || line.startsWith("-ERR "), () => `${this.name} got ${line}`);
  }

  #onMessage(subject: string, payload: string): void {
    const number = Number(subject.split(".").at(-1));
    const message = this.#replies.get(number);
    check(message !== undefined, () => `${this.name}: an answer on ${subject}, which was not asked for`);
    this.#replies.delete(number);
    if (payload === '{"safe":true}') this.onAcknowledged(message);
    else if (payload.startsWith('{"safe":false,"error":"outbox_full"'))
      this.breakOff(); // and say it all again
    else check(false, () => `${this.name}: the answer is ${payload}`);
  }
}
