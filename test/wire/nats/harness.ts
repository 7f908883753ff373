// A listening door for NATS clients over a real loopback socket, an account router behind it, and an upstream that calls nothing
// safe until the test says so. Clients speak raw bytes, or are nats.js.
//
//   await using door = await NatsDoor.open();
//   await using natsClient = await door.connected();     // CONNECT sent and taken
//   natsClient.send("PUB a 2\r\nhi\r\n");

import { Authenticator, type User } from "#access/authenticator.ts";
import { hashPassword } from "#access/password.ts";
import { type PermissionList, UNRESTRICTED } from "#access/permissions.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import { createLog, type LogLine } from "#base/log.ts";
import { systemNet } from "#base/net.ts";
import type { Batch } from "#core/batch.ts";
import { flagsOf, headersOf, payloadOf, replyOf, subjectOf } from "#core/batch.ts";
import type { Plan, Taken, Ticket } from "#core/sink.ts";
import type { NatsLimits } from "#ingress/nats/context.ts";
import type { LastValues } from "#ingress/nats/last-values.ts";
import { type NatsIngress, openNats } from "#ingress/nats/nats-ingress.ts";
import type { NatsTlsOptions, NatsWebSocketOptions } from "#ingress/nats/options.ts";
import { AccountRouter, type Door } from "#router/router.ts";
import type { UpstreamSlot } from "#router/upstream-slot.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { TestNkey, TestOperator } from "../../support/jwt.ts";
import { RawNatsClient } from "../../support/nats-client.ts";
import { batchOf, message, RecordingOrigin, RecordingUpstream } from "../../support/router-fixtures.ts";

export const PASSWORD = "correct horse";
export const TOKEN = "a token for the panel";
/** Of the user `robot`. */
export const ROBOT_KEY = new TestNkey("user");
/** Its user JWTs open the account EDGE. */
export const TRUSTED = new TestOperator().account("TRUSTED");
const passwordHash = await hashPassword(PASSWORD, systemEntropy());
const tokenHash = await hashPassword(TOKEN, systemEntropy());

function only(...allow: readonly string[]): PermissionList {
  return { allow, deny: [] };
}

export const USERS: readonly User[] = [
  user("anyone", {}),
  user("ann", {}),
  user("sensor", { publish: only("plant.7.>"), subscribe: { allow: ["cmd.7.>", "_INBOX.>"], deny: ["cmd.7.secret"] } }),
  user("curious", { subscribe: { allow: ["plant.>", "_INBOX.>"], deny: ["plant.secret"] } }),
  { ...user("elsewhere", {}), account: "LAB" },
  { ...user("homeless", {}), account: "GONE" },
  { ...user("mqtt-only", {}), doors: ["mqtt"] },
  { ...user("robot", {}), passwordHash: null, nkey: ROBOT_KEY.publicKey },
  { ...user("panel", {}), passwordHash: null, tokenHash },
  {
    ...user("responder", {}),
    permissions: { publish: only(), subscribe: UNRESTRICTED, responses: { max: 2, expires: 60_000 } },
  },
];

function user(name: string, { publish = UNRESTRICTED, subscribe = UNRESTRICTED }): User {
  return { name, account: "EDGE", passwordHash, doors: ["nats"], permissions: { publish, subscribe } };
}

/** Stages what is durable, and remembers all of it. */
export class TicketUpstream extends RecordingUpstream {
  readonly tickets: Ticket[] = [];
  readonly messages: { readonly subject: string; readonly reply: string; readonly headers: string; readonly flags: number }[] =
    [];

  override take(batch: Batch, index: number, _plan?: Plan, ticket: Ticket = 0): Taken {
    this.tickets.push(ticket);
    const headers = headersOf(batch, index).toString();
    this.messages.push({
      subject: subjectOf(batch, index),
      reply: replyOf(batch, index),
      headers,
      flags: flagsOf(batch, index),
    });
    return super.take(batch, index);
  }
}

/** A sink that keeps what it is given. */
export class Ear {
  readonly heard: string[] = [];

  constructor(router: AccountRouter, filter: string, queue: string | null = null) {
    router.subscribe({ filter, queue, sink: this, mayReceive: () => true });
  }

  deliver(batch: Batch, index: number): void {
    const reply = replyOf(batch, index);
    this.heard.push(`${subjectOf(batch, index)}${reply === "" ? "" : ` ${reply}`}=${payloadOf(batch, index)}`);
  }

  flush(): void {
    // nothing is gathered
  }
}

export interface DoorOptions {
  readonly noAuthUser?: string | null;
  /** Whether the upstream stages messages. Default: no. */
  readonly stages?: boolean;
  /** Whether the hub behind it listens to everything. Default: no. */
  readonly hears?: boolean;
  /** Default: one that is free. */
  readonly port?: number;
  readonly limits?: Partial<NatsLimits>;
  readonly tls?: NatsTlsOptions;
  readonly websocket?: NatsWebSocketOptions;
  /** Whether user JWTs of TRUSTED and the nkey of `robot` are taken: INFO then has a nonce. Default: no. */
  readonly wantsSignatures?: boolean;
  /** Of EDGE. Default: nobody knows any. */
  readonly lastValues?: LastValues;
}

export class NatsDoor implements AsyncDisposable {
  readonly clock: FakeClock;
  readonly router: AccountRouter;
  readonly lab: AccountRouter;
  readonly upstream: TicketUpstream;
  readonly slot: UpstreamSlot;
  readonly ingress: NatsIngress;
  readonly lines: LogLine[];
  readonly #outside: Door;

  static async open(options: DoorOptions = {}): Promise<NatsDoor> {
    const clock = new FakeClock();
    const entropy = systemEntropy();
    const lines: LogLine[] = [];
    const log = createLog(clock, "debug", (line) => void lines.push(line));
    const { noAuthUser = "anyone", stages = false, hears = false } = options;
    const limits = {
      maxPayload: 1_048_576,
      maxConnections: 100,
      maxPending: 16_777_216,
      writeDeadline: 10_000,
      ...options.limits,
    };
    const router = new AccountRouter("EDGE", entropy);
    const lab = new AccountRouter("LAB", entropy);
    const upstream = new TicketUpstream();
    upstream.stages = stages;
    upstream.isHearing = hears;
    const { wantsSignatures = false, tls = null, websocket = null } = options;
    const users = wantsSignatures ? USERS : USERS.filter(({ nkey }) => nkey == null);
    const trusted = wantsSignatures ? [{ key: TRUSTED.key.publicKey, account: "EDGE", revocations: [] }] : [];
    const authenticator = new Authenticator(users, noAuthUser, { clock, entropy }, trusted);
    const accounts = new Map([router, lab].map((account) => [account.name, account]));
    const env = { clock, net: systemNet(), disk: systemDisk(), entropy, log };
    const lastValues = (account: string) => (account === "EDGE" ? options.lastValues : undefined);
    const deps = { env, serverName: "gw-test", authenticator, accounts, limits, tls, websocket, lastValues };
    const ingress = await openNats({ host: "127.0.0.1", port: options.port ?? 0 }, deps, new AbortController().signal);
    return new NatsDoor(clock, router, lab, upstream, ingress, lines);
  }

  private constructor(
    clock: FakeClock,
    router: AccountRouter,
    lab: AccountRouter,
    upstream: TicketUpstream,
    ingress: NatsIngress,
    lines: LogLine[],
  ) {
    this.clock = clock;
    this.router = router;
    this.lab = lab;
    this.upstream = upstream;
    this.slot = router.addUpstream(upstream);
    this.ingress = ingress;
    this.lines = lines;
    this.#outside = router.open(new RecordingOrigin("hub"));
  }

  get port(): number {
    return this.ingress.endpoint.port;
  }

  get webSocketPort(): number {
    return this.ingress.webSocketEndpoint!.port;
  }

  async dialUnread(): Promise<RawNatsClient> {
    return await RawNatsClient.dial(this.port);
  }

  /** INFO was read. */
  async dial(): Promise<RawNatsClient> {
    const natsClient = await this.dialUnread();
    await natsClient.info();
    return natsClient;
  }

  /** A client that was let in, quiet unless told otherwise; without a user unless one is named. */
  async connected(connect: Readonly<Record<string, unknown>> = {}): Promise<RawNatsClient> {
    const natsClient = await this.dial();
    const options = { verbose: false, headers: true, no_responders: true, ...connect };
    natsClient.send(`CONNECT ${JSON.stringify(options)}\r\nPING\r\n`);
    await natsClient.receives(`${options.verbose ? "+OK\r\n" : ""}PONG\r\n`);
    return natsClient;
  }

  /** A message from the hub. */
  publish(subject: string, payload: string, more: { readonly reply?: string; readonly headers?: Buffer } = {}): void {
    this.#outside.publish(batchOf({ ...message(subject, payload), ...more }));
  }

  /** Waits, turn by turn, until it is so. */
  async until(isTrue: () => boolean): Promise<void> {
    const end = performance.now() + 40_000;
    while (!isTrue()) {
      if (performance.now() > end) throw new Error("waited 40 s in vain");
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  said(words: string): LogLine | undefined {
    return this.lines.find((line) => line.message.includes(words) || JSON.stringify(line.facts).includes(words));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    let isClosed = false;
    const closing = this.ingress[Symbol.asyncDispose]().then(() => {
      isClosed = true;
    });
    while (!isClosed) await this.clock.pass(100);
    await closing;
  }
}

/** HPUB of this block. */
export function hpub(subject: string, reply: string, headers: string, payload: string): string {
  return `HPUB ${subject} ${reply === "" ? "" : `${reply} `}${headers.length} ${headers.length + payload.length}\r\n${headers}${payload}\r\n`;
}
