// A listening MQTT door over a real loopback socket, an account router behind it, and an upstream that calls nothing safe until
// the test says so. Clients speak raw bytes.
//
//   await using door = await MqttDoor.open();
//   await using device = await door.connected("device-1");     // CONNECT sent, CONNACK seen
//   device.send("30 05 00 01 61 68 69");                       // PUBLISH a "hi"
//   await device.receives("d0 00");

import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import { Authenticator, type User } from "#access/authenticator.ts";
import { hashPassword } from "#access/password.ts";
import { type PermissionList, UNRESTRICTED } from "#access/permissions.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import { createLog, type LogLine } from "#base/log.ts";
import { systemNet } from "#base/net.ts";
import type { Batch } from "#core/batch.ts";
import type { Plan, Taken, Ticket } from "#core/sink.ts";
import type { Ages } from "#ingress/mqtt/ages.ts";
import type { Keeping } from "#ingress/mqtt/keeping.ts";
import { type MqttIngress, openMqtt } from "#ingress/mqtt/mqtt-ingress.ts";
import type { MqttOptions } from "#ingress/mqtt/options.ts";
import { AccountRouter, type Door } from "#router/router.ts";
import type { UpstreamSlot } from "#router/upstream-slot.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { mqttSettings } from "../../support/mqtt-settings.ts";
import { batchOf, message, RecordingOrigin, RecordingUpstream } from "../../support/router-fixtures.ts";

export const PASSWORD = "correct horse";
const passwordHash = await hashPassword(PASSWORD, systemEntropy());

function only(...allow: readonly string[]): PermissionList {
  return { allow, deny: [] };
}

export const USERS: readonly User[] = [
  user("anyone", {}),
  user("ann", {}),
  user("bob", {}),
  user("sensor", { publish: only("plant.7.>"), subscribe: { allow: ["cmd.7.>"], deny: ["cmd.7.secret"] } }),
  { ...user("nats-only", {}), doors: ["nats"] },
  { ...user("nobody", {}), passwordHash: null },
];

function user(name: string, { publish = UNRESTRICTED, subscribe = UNRESTRICTED }): User {
  return { name, account: "EDGE", passwordHash, doors: ["mqtt"], permissions: { publish, subscribe } };
}

export class TicketUpstream extends RecordingUpstream {
  readonly tickets: Ticket[] = [];
  /** Ends a wait for the next message; set by `MqttDoor.takes`. */
  onTake: () => void = () => undefined;

  override take(batch: Batch, index: number, _plan?: Plan, ticket: Ticket = 0): Taken {
    this.tickets.push(ticket);
    const isStaged = super.take(batch, index);
    this.onTake();
    return isStaged;
  }
}

export interface DoorOptions {
  readonly maxPacket?: number;
  readonly maxClients?: number;
  readonly noAuthUser?: string | null;
  /** false: the upstream takes messages without staging them, so they are safe at once. */
  readonly stages?: boolean;
  /** What sessions and retained messages are kept in. */
  readonly keeping?: Keeping;
  /** One that goes on over several doors. */
  readonly clock?: FakeClock;
  /** Instead of the clock's calendar. */
  readonly ages?: Ages;
  /** Instead of USERS. */
  readonly users?: readonly User[];
  /** Laid over the settings; for other doors than the plain one. */
  readonly settings?: Partial<MqttOptions>;
  readonly limits?: { readonly maxPayload: number; readonly maxPending: number; readonly writeDeadline: number };
}

export class MqttDoor implements AsyncDisposable {
  readonly clock: FakeClock;
  readonly router: AccountRouter;
  readonly upstream: TicketUpstream;
  readonly slot: UpstreamSlot;
  readonly ingress: MqttIngress;
  readonly lines: LogLine[];
  readonly #outside: Door;

  static async open(options: DoorOptions = {}): Promise<MqttDoor> {
    const clock = options.clock ?? new FakeClock();
    const entropy = systemEntropy();
    const lines: LogLine[] = [];
    const log = createLog(clock, "debug", (line) => void lines.push(line));
    const { maxPacket = 262_144, maxClients = 100, noAuthUser = "anyone", stages = true } = options;
    const { limits = { maxPayload: 1_048_576, maxPending: 16_777_216, writeDeadline: 10_000 } } = options;
    const router = new AccountRouter("EDGE", entropy);
    const upstream = new TicketUpstream();
    upstream.stages = stages;
    const settings = mqttSettings({ maxPacket, maxClients, ...options.settings });
    const authenticator = new Authenticator(options.users ?? USERS, noAuthUser, { clock, entropy });
    const deps = {
      env: { clock, net: systemNet(), entropy, log, disk: systemDisk() },
      authenticator,
      accounts: new Map([["EDGE", router]]),
      limits,
      ...(options.keeping !== undefined && { keeping: options.keeping }),
      ...(options.ages !== undefined && { ages: options.ages }),
    };
    const ingress = await openMqtt(settings, deps, new AbortController().signal);
    return new MqttDoor(clock, router, upstream, ingress, lines);
  }

  private constructor(clock: FakeClock, router: AccountRouter, upstream: TicketUpstream, ingress: MqttIngress, lines: LogLine[]) {
    this.clock = clock;
    this.router = router;
    this.upstream = upstream;
    this.slot = router.addUpstream(upstream);
    this.ingress = ingress;
    this.lines = lines;
    this.#outside = router.open(new RecordingOrigin("serial"));
  }

  async dial(): Promise<RawClient> {
    return await RawClient.dial(this.ingress.endpoint.port);
  }

  /** A client that was let in, without a user unless one is named. */
  async connected(clientId: string, options: Omit<ConnectOptions, "clientId"> = {}): Promise<RawClient> {
    const client = await this.dial();
    client.send(connect({ ...options, clientId }));
    await client.receives("20 02 00 00");
    return client;
  }

  /** A message from another door than MQTT. */
  publish(subject: string, payload: string): void {
    this.#outside.publish(batchOf(message(subject, payload)));
  }

  /** Resolves when the upstream has been handed so many messages in all. */
  async takes(count: number): Promise<readonly string[]> {
    while (this.upstream.taken.length < count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.upstream.onTake = resolve;
      await promise;
    }
    return this.upstream.taken;
  }

  said(words: string): LogLine | undefined {
    return this.lines.find((line) => line.message.includes(words) || JSON.stringify(line.facts).includes(words));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ingress[Symbol.asyncDispose]();
  }
}

export class RawClient implements AsyncDisposable {
  readonly socket: net.Socket;
  readonly #ended: Promise<void>;
  #unread: Buffer = Buffer.alloc(0);
  #isEnded = false;
  #onBytes: () => void = () => undefined;

  static async dial(port: number): Promise<RawClient> {
    const socket = net.connect({ host: "127.0.0.1", port, noDelay: true });
    await once(socket, "connect");
    return new RawClient(socket);
  }

  private constructor(socket: net.Socket) {
    this.socket = socket;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = promise;
    socket
      .on("data", (chunk: Buffer) => {
        this.#unread = Buffer.concat([this.#unread, chunk]);
        this.#onBytes();
      })
      .on("error", () => undefined) // a reset is an end too
      .on("close", () => {
        this.#isEnded = true;
        this.#onBytes();
        resolve();
      });
  }

  send(...parts: readonly (string | Buffer)[]): void {
    this.socket.write(Buffer.concat(parts.map((part) => (typeof part === "string" ? hex(part) : part))));
  }

  /** The next bytes must be these. */
  async receives(expected: string | Buffer): Promise<void> {
    const wanted = typeof expected === "string" ? hex(expected) : expected;
    const found = await this.take(wanted.length);
    assert.equal(spaced(found), spaced(wanted));
  }

  async take(count: number): Promise<Buffer> {
    while (this.#unread.length < count) {
      if (this.#isEnded) throw new Error(`closed with only ${spaced(this.#unread)} received, ${count} bytes wanted`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onBytes = resolve;
      await promise;
    }
    const found = this.#unread.subarray(0, count);
    this.#unread = this.#unread.subarray(count);
    return found;
  }

  /** The other side closes, having sent nothing more than this. */
  async isClosed(rest: string | Buffer = ""): Promise<void> {
    await this.#ended;
    assert.equal(spaced(this.#unread), spaced(typeof rest === "string" ? hex(rest) : rest));
  }

  /** The connection is closed, whatever was received before. */
  async isOver(): Promise<void> {
    await this.#ended;
  }

  /** Sends a PINGREQ: when its answer comes, everything before was handled, and nothing else was sent. */
  async isIdle(): Promise<void> {
    this.send("c0 00");
    await this.receives("d0 00");
  }

  /** Breaks the connection without a DISCONNECT. */
  vanish(): void {
    this.socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.#ended;
  }
}

export interface ConnectOptions {
  readonly clientId?: string;
  readonly isClean?: boolean;
  readonly keepAlive?: number;
  readonly user?: string;
  readonly password?: string;
  readonly will?: { readonly topic: string; readonly payload: string; readonly qos?: 0 | 1 | 2; readonly retain?: boolean };
  readonly protocol?: string;
  readonly level?: number;
  readonly reserved?: boolean;
}

export function connect(options: ConnectOptions = {}): Buffer {
  const { clientId = "c", isClean = true, keepAlive = 0, user, password, will, protocol = "MQTT", level = 4 } = options;
  let flags = options.reserved === true ? 1 : 0;
  if (isClean) flags |= 2;
  if (will !== undefined) flags |= 4 | ((will.qos ?? 0) << 3) | (will.retain === true ? 32 : 0);
  if (user !== undefined) flags |= 128;
  if (password !== undefined) flags |= 64;
  const fields = [text(protocol), Buffer.from([level, flags, keepAlive >> 8, keepAlive & 255]), text(clientId)];
  if (will !== undefined) fields.push(text(will.topic), text(will.payload));
  if (user !== undefined) fields.push(text(user));
  if (password !== undefined) fields.push(text(password));
  return packet(0x10, ...fields);
}

export function publish(topic: string | Buffer, payload: string | Buffer = "", options: PublishOptions = {}): Buffer {
  const { packetId = 0, qos = packetId === 0 ? 0 : 1, dup = false, retain = false } = options;
  const first = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0);
  return packet(first, text(topic), qos === 0 ? Buffer.alloc(0) : word(packetId), Buffer.from(payload as string));
}

export interface PublishOptions {
  readonly packetId?: number;
  readonly qos?: number;
  readonly dup?: boolean;
  readonly retain?: boolean;
}

export function subscribe(packetId: number, ...filters: readonly (readonly [string | Buffer, number])[]): Buffer {
  return packet(0x82, word(packetId), ...filters.flatMap(([filter, qos]) => [text(filter), Buffer.from([qos])]));
}

export function unsubscribe(packetId: number, ...filters: readonly string[]): Buffer {
  return packet(0xa2, word(packetId), ...filters.map(text));
}

export function puback(packetId: number): Buffer {
  return packet(0x40, word(packetId));
}

export function pubrec(packetId: number): Buffer {
  return packet(0x50, word(packetId));
}

export function pubrel(packetId: number): Buffer {
  return packet(0x62, word(packetId));
}

export function pubcomp(packetId: number): Buffer {
  return packet(0x70, word(packetId));
}

export function suback(packetId: number, ...codes: readonly number[]): Buffer {
  return packet(0x90, word(packetId), Buffer.from(codes));
}

/** First byte, remaining length, body. */
export function packet(first: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const header = [first];
  let rest = body.length;
  do {
    header.push((rest & 127) | (rest > 127 ? 128 : 0));
    rest >>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.from(header), body]);
}

export function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([word(bytes.length), bytes]);
}

export function word(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

export function hex(digits: string): Buffer {
  return Buffer.from(digits.replaceAll(" ", ""), "hex");
}

function spaced(bytes: Buffer): string {
  return bytes.toString("hex").replaceAll(/(..)(?=.)/g, "$1 ");
}
