// An uplink on a real hub, and local clients that speak to it through the router: what a spoke does with subjects, without a protocol
// in front of it.
//
//   await using rig = await openRig({ urls: [hub.leafUrlAs(LEAF)] });
//   const client = rig.client();
//   client.subscribe("cmd.>");  client.publish("sensors.a", "1");  await client.next();
//   const nats = await rig.connect();                          // a stock NATS client through the door for them

import { connect, type NatsConnection, type NodeConnectionOptions } from "@nats-io/transport-node";
import { Authenticator } from "#access/authenticator.ts";
import { UNRESTRICTED } from "#access/permissions.ts";
import { systemClock } from "#base/clock.ts";
import { decode } from "#base/decode.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import type { Env } from "#base/env.ts";
import { createLog, formatLine } from "#base/log.ts";
import { systemNet } from "#base/net.ts";
import { systemResolver } from "#base/resolver.ts";
import type { Json } from "#base/schema.ts";
import { openTimeKeeper } from "#base/time-keeper.ts";
import type { Batch } from "#core/batch.ts";
import { headersOf, payloadOf, replyOf, subjectOf } from "#core/batch.ts";
import { BatchBuilder, type MessageParts } from "#core/batch-builder.ts";
import type { Origin, Sink, Subscription } from "#core/sink.ts";
import { type NatsIngress, openNats } from "#ingress/nats/nats-ingress.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import { outboxOptions } from "#outbox/options.ts";
import { AccountRouter, type Door } from "#router/router.ts";
import { openS2Codec } from "#s2/codec.ts";
import { remoteOptions } from "#uplink/options.ts";
import { openUplink, type Uplink } from "#uplink/uplink.ts";
import { tempFolder } from "./temp-folder.ts";

/** How long anything may take to come about; far above what it should. */
const UNTIL_MS = 10_000;
const PLAIN_FLAGS = 0b1100;

type Block = { readonly [key: string]: Json };

export interface Rig extends AsyncDisposable {
  readonly uplink: Uplink;
  readonly account: AccountRouter;
  readonly log: readonly string[];
  client(): LocalClient;
  /** A stock client, connected to the account; closed with the rig. */
  connect(options?: NodeConnectionOptions): Promise<NatsConnection>;
  /** Polls until the condition holds. */
  until(what: string, isTrue: () => boolean): Promise<void>;
}

/** Resolves when the link is ready. */
export async function openRig(
  remote: Block,
  options: { readonly name?: string; readonly maxPayload?: number; readonly outbox?: Block } = {},
): Promise<Rig> {
  await using scope = new AsyncDisposableStack();
  const folder = scope.use(await tempFolder("petiole-rig"));
  const log: string[] = [];
  const clock = systemClock();
  const env: Env = {
    clock,
    disk: systemDisk(),
    net: systemNet(),
    tty: systemTty(),
    entropy: systemEntropy(),
    log: createLog(clock, "debug", (line) => log.push(formatLine(line))),
  };
  const account = new AccountRouter("EDGE", env.entropy);
  const name = options.name ?? "gw-rig";
  const deps = {
    account,
    outbox: decoded(outboxOptions, { free_reserve: "0B", ...options.outbox }),
    serverName: name,
    deviceId: "rig",
    dataDir: folder.path,
    codec: openS2Codec(),
    resolver: systemResolver({ clock: systemClock(), disk: systemDisk() }),
    maxPayload: options.maxPayload ?? 1024 * 1024,
    time: scope.use(await openTimeKeeper(folder.path, env)),
  };
  const block = { reconnect: { min: "50ms", max: "500ms" }, ...remote };
  const uplink = scope.use(await openUplink(decoded(remoteOptions, block), deps, env, new AbortController().signal));
  uplink.start();
  const until = (what: string, isTrue: () => boolean) => poll(what, isTrue, () => log.join("\n"));
  await until("the link is ready", () => uplink.link.isReady);
  let ingress: NatsIngress | undefined;
  const owned = scope.move();
  return {
    uplink,
    account,
    log,
    client: () => new LocalClient(account),
    connect: async (more = {}) => {
      ingress ??= owned.use(await openDoor(account, env, deps.maxPayload));
      const nats = await connect({ servers: `127.0.0.1:${ingress.endpoint.port}`, ...more });
      owned.defer(() => nats.close().catch(() => undefined)); // closed already is closed
      return nats;
    },
    until,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** For stock clients, who need not show a user. */
function openDoor(account: AccountRouter, env: Env, maxPayload: number): Promise<NatsIngress> {
  const permissions = { publish: UNRESTRICTED, subscribe: UNRESTRICTED };
  const user = { name: "local", account: account.name, passwordHash: null, doors: ["nats" as const], permissions };
  const deps = {
    env,
    serverName: "gw-rig",
    authenticator: new Authenticator([user], user.name, env),
    accounts: new Map([[account.name, account]]),
    limits: { maxPayload, maxConnections: 100, maxPending: 16 * 1024 * 1024, writeDeadline: 10_000 },
  };
  return openNats({ host: "127.0.0.1", port: 0 }, deps, new AbortController().signal);
}

export interface Heard {
  readonly subject: string;
  readonly reply: string;
  readonly headers: string;
  readonly text: string;
}

/** A local client: origin and sink in one, as an ingress makes them. */
export class LocalClient implements Origin, Sink {
  readonly kind = "nats";
  readonly label = "local client";
  readonly heard: Heard[] = [];
  /** Replies of requests that nobody heard. */
  readonly unheard: string[] = [];
  readonly #account: AccountRouter;
  readonly #door: Door;
  #inboxes = 0;

  constructor(account: AccountRouter) {
    this.#account = account;
    this.#door = account.open(this);
  }

  subscribe(filter: string, queue: string | null = null, mayReceive: (subject: string) => boolean = () => true): Subscription {
    const subscription = { filter, queue, sink: this, mayReceive };
    this.#account.subscribe(subscription);
    return subscription;
  }

  unsubscribe(subscription: Subscription): void {
    this.#account.unsubscribe(subscription);
  }

  publish(subject: string, text = "", more: Partial<Pick<MessageParts, "reply" | "headers">> = {}): void {
    const batch = new BatchBuilder();
    batch.beginOwn();
    batch.add({ subject, payload: Buffer.from(text), flags: PLAIN_FLAGS, ...more });
    this.#door.publish(batch);
  }

  /** Publishes with an inbox of its own, subscribed before; resolves with the answer. "no responders" is an error. */
  async request(subject: string, text = "", headers?: Uint8Array): Promise<Heard> {
    this.#inboxes += 1;
    const reply = `_INBOX.local.${process.hrtime.bigint()}.${this.#inboxes}`;
    const inbox = this.subscribe(reply);
    try {
      this.publish(subject, text, { reply, ...(headers === undefined ? {} : { headers }) });
      if (this.unheard.includes(reply)) throw new Error("no responders");
      return await this.next((heard) => heard.subject === reply);
    } finally {
      this.unsubscribe(inbox);
    }
  }

  /** The first message like this, heard already or to come. */
  async next(isWanted: (heard: Heard) => boolean = () => true): Promise<Heard> {
    await poll(
      "a message comes",
      () => this.heard.some(isWanted),
      () => JSON.stringify(this.heard),
    );
    return this.heard.find(isWanted)!;
  }

  deliver(batch: Batch, index: number): void {
    this.heard.push({
      subject: subjectOf(batch, index),
      reply: replyOf(batch, index),
      headers: headersOf(batch, index).toString("latin1"),
      text: payloadOf(batch, index).toString(),
    });
  }

  onNoResponders(batch: Batch, index: number): void {
    this.unheard.push(replyOf(batch, index));
  }

  mayPublish(): boolean {
    return true;
  }

  flush(): void {
    return;
  }

  onDenied(): void {
    return;
  }

  onSafe(): void {
    return;
  }

  pause(): void {
    return;
  }

  resume(): void {
    return;
  }
}

function decoded<T>(schema: Parameters<typeof decode<T>>[0], block: Block): T {
  const result = decode(schema, block, "/nowhere");
  if (!("value" in result)) throw new Error(JSON.stringify(result.faults));
  return result.value;
}

async function poll(what: string, isTrue: () => boolean, context: () => string): Promise<void> {
  const end = performance.now() + UNTIL_MS;
  while (!isTrue()) {
    if (performance.now() > end) throw new Error(`waited ${UNTIL_MS} ms until ${what}\n${context()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
