// A short visit at a hub, all the way the daemon goes: connect, TLS, INFO, CONNECT, the hub's interest; then a few questions, and away.
//
// It must not be taken for the daemon. A hub lets the newer of two leaves with one name replace the older, so the visitor has a name of
// its own: `<server_name>-doctor-<random>`. It announces nothing but an inbox where it asks, no `$LDS.` subject either (the daemon would
// count it as a neighbour), sends no message but requests to JetStream's API that change nothing, and asks for isolation as the daemon does.

import type { Clock, Millis } from "#base/clock.ts";
import { randomToken } from "#base/entropy.ts";
import { PetioleError } from "#base/errors.ts";
import type { ByteStream } from "#base/net.ts";
import { headersOf, payloadOf, routedSubjectOf } from "#core/batch.ts";
import { filterCovers, toSubject } from "#core/subject.ts";
import type { Asked, HubRequests } from "#outbox/reconcile/reconcile.ts";
import { agree } from "#uplink/compression.ts";
import { type ConnectionEvents, LeafConnection } from "#uplink/connection.ts";
import { explainRejectedLogin, readSigner, type Signer } from "#uplink/credentials.ts";
import { LEAF_NOT_NATS, LEAF_TIMEOUT } from "#uplink/errors.ts";
import { ForeignInterest } from "#uplink/foreign-interest.ts";
import { assertLeafPort, type HubInfo, parseInfo } from "#uplink/hub-info.ts";
import { connectFor } from "#uplink/introduction.ts";
import type { Link } from "#uplink/link-state.ts";
import { timeoutText } from "#uplink/phase-words.ts";
import { isHarmless, rejectionOf } from "#uplink/rejection.ts";
import { readTlsFiles } from "#uplink/secure.ts";
import { addressOf, writeConnect } from "#wire/leaf-lines.ts";
import type { Probe } from "../probe.ts";
import { within } from "../within.ts";
import type { HubCase } from "./hub-case.ts";

/** What was seen. */
export interface Visit {
  readonly info: HubInfo;
  /** What the hub listens to, latin1 form; its servers' own left out. */
  readonly filters: ReadonlySet<string>;
  /** Isolation was asked for and is not given: why. */
  readonly isolationFault: string | null;
  readonly rttMs: Millis | null;
  readonly isTls: boolean;
  readonly user: string | null;
}

/** A hub with very much interest: enough to judge by. */
const FILTERS_MAX = 100_000;
const TOKEN_LENGTH = 10;

type Phase = "securing" | "awaiting-info" | "joining" | "syncing";

export interface Visiting {
  readonly serverName: string;
  readonly probe: Probe;
  /** Announces an inbox; without one nothing can be asked, and the hub is told nothing that others might hear of. */
  readonly asks: boolean;
}

/** Logs in, hands the visit to `ask`, and leaves. Throws LEAF_… in the words of the daemon. */
export async function visitHub<T>(
  hub: HubCase,
  visiting: Visiting,
  signal: AbortSignal,
  ask: (visit: Visit, requests: HubRequests) => Promise<T>,
): Promise<T> {
  const visitor = new Visitor(hub, visiting);
  try {
    return await ask(await visitor.enter(signal), visitor);
  } finally {
    visitor.leave();
  }
}

class Visitor implements HubRequests {
  readonly #hub: HubCase;
  readonly #name: string;
  readonly #asks: boolean;
  readonly #probe: Probe;
  readonly #clock: Clock;
  readonly #inbox: string;
  readonly #foreign: ForeignInterest;
  readonly #filters = new Set<string>();
  readonly #failed = Promise.withResolvers<never>();
  readonly #asking = new Map<
    string,
    { readonly onAnswer: (headers: string, payload: Buffer) => boolean; readonly settle: (asked: Asked) => void }
  >();
  /** Of the hub's port, below TLS; ours to end until a connection reads it. */
  #stream: ByteStream | undefined;
  #connection: LeafConnection | undefined;
  #signer: Signer | null = null;
  readonly #greeted = Promise.withResolvers<HubInfo>();
  readonly #joined = Promise.withResolvers<void>();
  readonly #synced = Promise.withResolvers<void>();
  #phase: Phase = "awaiting-info";
  #info: HubInfo | undefined;
  #isTls = false;
  #mayHear = false;
  #asked = 0;

  constructor(hub: HubCase, { serverName, probe, asks }: Visiting) {
    this.#hub = hub;
    this.#asks = asks;
    this.#probe = probe;
    this.#clock = probe.env.clock;
    const { entropy } = probe.env;
    this.#name = `${serverName}-doctor-${randomToken(entropy, 4)}`;
    this.#inbox = `_INBOX.${randomToken(entropy, TOKEN_LENGTH)}`;
    this.#foreign = new ForeignInterest(hub.remote.isolated);
    this.#failed.promise.catch(() => undefined); // heard by whoever waits; else nobody needs it
  }

  async enter(signal: AbortSignal): Promise<Visit> {
    const { remote, choice, transport, target, tlsWay } = this.#hub;
    const { env, dataDir } = this.#probe;
    const { isWebSocket } = choice.url;
    // Files first, as the daemon does: between INFO and CONNECT the hub gives two seconds.
    this.#signer = await readSigner(remote, dataDir, env, isWebSocket);
    const files = await readTlsFiles(env.disk, dataDir, remote.tls, env.log);
    let stream = await transport.connect(choice, signal);
    this.#stream = stream;
    stream.on("error", () => undefined); // the connection or the handshake reports it
    if (tlsWay === "first") {
      stream = await this.#during("securing", signal, (inner) => transport.secure(stream, choice, files, inner));
      this.#isTls = true;
    }
    if (isWebSocket)
      stream = (await this.#during("awaiting-info", signal, (inner) => transport.upgrade(stream, choice, inner))).stream;
    const connection = new LeafConnection(stream, { hub: target, flushDelay: 0 }, this.#clock, this.#events());
    this.#connection = connection;
    const first = await this.#during("awaiting-info", signal, () => this.#greeted.promise);
    assertLeafPort(first, target);
    this.#info = first;
    if (!this.#isTls && !isWebSocket && (tlsWay === "required" || first.tlsRequired)) {
      const bare = connection.detach();
      connection.attach(await this.#during("securing", signal, (inner) => transport.secure(bare, choice, files, inner)));
      this.#isTls = true;
    }
    const { compressMode } = agree("off", first.compression);
    const signed = this.#signer?.login(first.nonce) ?? {};
    writeConnect(connection.out, connectFor(remote, choice.url, this.#name, compressMode, signed));
    connection.flushNow();
    await this.#during("joining", signal, () => this.#joined.promise);
    await this.#during("syncing", signal, () => this.#synced.promise);
    const info = this.#info;
    return {
      info,
      filters: this.#filters,
      isolationFault: this.#foreign.fault?.text ?? null,
      rttMs: connection.flow.rtt,
      isTls: this.#isTls,
      user: this.#signer?.claims?.name ?? null,
    };
  }

  /** A goodbye, and nobody is kept waiting. */
  leave(): void {
    for (const { settle } of this.#asking.values()) settle("down");
    if (this.#connection === undefined) this.#stream?.destroy();
    else this.#connection.close();
  }

  async ask(
    subject: string,
    payload: string,
    timeout: Millis,
    onAnswer: (headers: string, payload: Buffer) => boolean,
  ): Promise<Asked> {
    const connection = this.#connection;
    const latin1 = toSubject(subject);
    const isHeard = [...this.#filters].some((filter) => filterCovers(filter, latin1));
    if (connection === undefined || !this.#mayHear || !isHeard) return "unheard";
    this.#asked += 1;
    const reply = `${this.#inbox}.${this.#asked}`;
    const { promise, resolve } = Promise.withResolvers<Asked>();
    this.#asking.set(reply, { onAnswer, settle: resolve });
    using _limit = this.#clock.after(timeout, () => resolve("timeout"));
    const bytes = Buffer.from(payload, "utf8");
    connection.out.text(`LMSG ${addressOf(latin1, reply, [])}${bytes.length}\r\n`);
    connection.out.copy(bytes, 0, bytes.length);
    connection.out.crlf();
    connection.flushSoon();
    try {
      return await Promise.race([promise, this.#failed.promise.catch((): Asked => "down")]);
    } finally {
      this.#asking.delete(reply);
    }
  }

  async #during<T>(phase: Phase, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#phase = phase;
    const limit = this.#probe.limits.phase;
    const at = { at: phase, attempt: 0, deadline: 0, isSecure: this.#isTls, next: "joining" } as Link;
    const late = () => new PetioleError(LEAF_TIMEOUT, timeoutText(at, this.#hub.target, limit, []));
    return await within({ clock: this.#clock, limit, signal, late }, (inner) =>
      Promise.race([work(inner), this.#failed.promise]),
    );
  }

  /** Within the very chunk that brought the hub's answer: its interest stands right behind it, and comes only to who has introduced himself. */
  #onJoined(info: HubInfo): void {
    const connection = this.#connection!;
    this.#info = info;
    this.#foreign.onHub(info.name, info.version);
    this.#mayHear = this.#asks && hearsAll(info, `${this.#inbox}.>`);
    if (this.#mayHear) connection.out.text(`LS+ ${this.#inbox}.>\r\n`);
    connection.ping(); // its PONG comes behind the hub's whole interest
    this.#joined.resolve();
  }

  #events(): ConnectionEvents {
    return {
      onBatch: (batch) => {
        for (let i = 0; i < batch.count; i++) {
          const asking = this.#asking.get(routedSubjectOf(batch, i));
          if (asking?.onAnswer(headersOf(batch, i).toString("latin1"), payloadOf(batch, i)) === true) asking.settle("answered");
        }
      },
      onInterest: (filter) => {
        this.#foreign.onInterest(filter);
        if (!filter.startsWith("$LDS.") && this.#filters.size < FILTERS_MAX) this.#filters.add(filter);
      },
      onInterestGone: (filter) => {
        this.#foreign.onInterestGone(filter);
        this.#filters.delete(filter);
      },
      onInfo: (json) => {
        try {
          const info = parseInfo(json);
          this.#greeted.resolve(info);
          if (this.#phase === "joining" && info.isAnswerToConnect) this.#onJoined(info);
        } catch (error) {
          this.#failed.reject(error);
        }
      },
      onError: (text) => {
        if (isHarmless(text)) return;
        const { error } = rejectionOf(this.#hub.target, text);
        this.#failed.reject(explainRejectedLogin(error, text, this.#signer, this.#clock.wall()));
      },
      onReceipt: () => undefined,
      onRoundTrip: () => this.#synced.resolve(),
      onRoom: () => undefined,
      onEnded: (error) => this.#failed.reject(this.#explained(error)),
    };
  }

  /** As link.ts has it: what an end means where it came. */
  #explained(error: Error): Error {
    const { target, transport, choice } = this.#hub;
    if (this.#phase === "awaiting-info" && error instanceof PetioleError && error.code.startsWith("WIRE_"))
      return new PetioleError(LEAF_NOT_NATS, `${target} does not speak NATS; wanted the leaf port of a nats-server`, {
        remedy: "backoff",
        cause: error,
      });
    if (!this.#isTls) return error;
    const wantsCertificate = this.#info?.wantsCertificate ?? false;
    return transport.explain(error, choice, { wantsCertificate, isJoined: this.#phase === "syncing" });
  }
}

/** Does the hub let all of the inbox come to us? A refusal could end the connection, so it is not tried where the lists say no. */
function hearsAll({ importPermissions: list }: HubInfo, filter: string): boolean {
  if (list === null) return true;
  const isAllowed = list.allow === null || list.allow.some((allowed) => filterCovers(allowed, filter));
  return isAllowed && !list.deny.some((denied) => filterCovers(denied, filter) || filterCovers(filter, denied));
}
