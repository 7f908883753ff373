// Keeps one link to a hub: the shell around link-state.ts. Dials, secures, introduces us, and never stops trying.
//
// Credentials leave in one place, #sendConnect, which runs only behind the state machine's TLS rule.

import { assert } from "#base/assert.ts";
import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import type { Entropy } from "#base/entropy.ts";
import { explain, PetioleError } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import type { Net } from "#base/net.ts";
import type { Batch } from "#core/batch.ts";
import type { Carrier } from "#outbox/hub-view.ts";
import { type LeafConnect, writeConnect, writeError } from "#wire/leaf-lines.ts";
import type { WireWriter } from "#wire/wire-writer.ts";
import { LeafConnection } from "./connection.ts";
import { LEAF_DIAL_FAILED, LEAF_LOOP, LEAF_NOT_NATS, LEAF_STALE, LEAF_STOPPED, LEAF_TIMEOUT } from "./errors.ts";
import { assertLeafPort, type HubInfo, parseInfo } from "./hub-info.ts";
import { type LinkEffect, type LinkEvent, type LinkRules, type Link as LinkState, step } from "./link-state.ts";
import type { RemoteOptions } from "./options.ts";
import { isHarmless, rejectionOf } from "./rejection.ts";
import { loginFor, type RemoteUrl } from "./remote-url.ts";
import { readTlsFiles, secure } from "./secure.ts";

/** The nats-server version whose leaf protocol we speak; hubs compare it with their `min_version`. */
const COMPATIBLE_VERSION = "2.15.1";
const DIAL_TIMEOUT_MS: Millis = 10_000;
const PHASE_TIMEOUT_MS: Millis = 10_000;
/** We ask for a sign of life after this much silence, and give up on a hub that leaves a PING unanswered this long without any byte. */
const PING_AFTER_MS: Millis = 20_000;
const STALE_AFTER_MS: Millis = 20_000;
const LIVENESS_EVERY_MS: Millis = 2_500;

export interface LinkIdentity {
  readonly serverName: string;
  readonly dataDir: string;
  /** Local account bound to the remote. */
  readonly account: string;
}

export interface LinkEvents {
  /** The hub has answered CONNECT: write all local interest to `out`. */
  writeInterest(out: WireWriter, info: HubInfo): void;
  /** The hub's interest is known; the carrier may be used until `onDown`. */
  onReady(carrier: Carrier, info: HubInfo): void;
  /** The link is over, also one that never became ready. */
  onDown(): void;
  onBatch(batch: Batch): void;
  onInterest(filter: string, queue: string | null): void;
  onInterestGone(filter: string, queue: string | null): void;
  onReceipt(): void;
  onRoom(): void;
}

export interface LinkStatus {
  readonly state: LinkState["at"];
  readonly url: string;
  readonly sinceWall: WallMillis;
  readonly attempt: number;
  readonly rttMs: number | null;
  readonly hub: {
    readonly name: string;
    readonly version: string;
    readonly cluster: string | null;
    readonly account: string | null;
  } | null;
  readonly isTls: boolean;
  readonly lastError: { readonly code: string; readonly message: string; readonly wall: WallMillis } | null;
  readonly connects: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface LinkEnv {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly net: Net;
  readonly entropy: Entropy;
  readonly log: Log;
}

export class Link implements AsyncDisposable {
  readonly #remote: RemoteOptions;
  readonly #identity: LinkIdentity;
  readonly #env: LinkEnv;
  readonly #events: LinkEvents;
  /** But for TLS, which may differ by URL: see #rulesNow. */
  readonly #rules: Omit<LinkRules, "tls">;
  readonly #urls: readonly RemoteUrl[];
  /** Subject by which a loop shows, spec §16. Random per process. */
  readonly #loopSubject: string;
  #state: LinkState;
  #since: WallMillis;
  #urlIndex = -1;
  #connection: LeafConnection | undefined;
  #attempt: AbortController | undefined;
  #timer: Disposable | undefined;
  #liveness: Disposable | undefined;
  #isTls = false;
  #info: HubInfo | null = null;
  #rtt: number | null = null;
  #lastError: LinkStatus["lastError"] = null;
  #connects = 0;
  #pastBytesIn = 0;
  #pastBytesOut = 0;

  constructor(remote: RemoteOptions, identity: LinkIdentity, env: LinkEnv, events: LinkEvents) {
    this.#remote = remote;
    this.#identity = identity;
    this.#env = env;
    this.#events = events;
    this.#urls = remote.noRandomize ? remote.urls : shuffled(remote.urls, env.entropy);
    this.#loopSubject = `$LDS.${env.entropy.bytes(16).toString("hex")}`;
    this.#rules = {
      urls: remote.urls.length,
      backoff: remote.reconnect,
      dialTimeout: DIAL_TIMEOUT_MS,
      phaseTimeout: PHASE_TIMEOUT_MS,
    };
    this.#state = { at: "waiting", attempt: 0, until: env.clock.now() };
    this.#since = env.clock.wall();
  }

  start(): void {
    this.#event({ type: "retry" });
  }

  /** For announcing a change of local interest; undefined until the hub has answered CONNECT. */
  get carrier(): Carrier | undefined {
    return this.#state.at === "ready" || this.#state.at === "syncing" ? this.#connection : undefined;
  }

  get isReady(): boolean {
    return this.#state.at === "ready";
  }

  status(): LinkStatus {
    const { name, version, cluster, remoteAccount } = this.#info ?? {};
    return {
      state: this.#state.at,
      url: this.#url.text,
      sinceWall: this.#since,
      attempt: this.#state.at === "stopped" ? 0 : this.#state.attempt,
      rttMs: this.#rtt === null ? null : Math.round(this.#rtt * 1000) / 1000,
      hub:
        this.#info === null ? null : { name: name!, version: version!, cluster: cluster ?? null, account: remoteAccount ?? null },
      isTls: this.#isTls,
      lastError: this.#lastError,
      connects: this.#connects,
      bytesIn: this.#pastBytesIn + (this.#connection?.bytesIn ?? 0),
      bytesOut: this.#pastBytesOut + (this.#connection?.bytesOut ?? 0),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection?.close(); // a goodbye, where `close` as an effect would be abrupt
    this.#event({ type: "stop" });
  }

  // ── the machine ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #event(event: LinkEvent): void {
    const before = this.#state;
    const [next, ...effects] = step(before, event, this.#rulesNow(), this.#env.clock.now(), this.#env.entropy.random());
    this.#state = next;
    if (next.at !== before.at) {
      this.#since = this.#env.clock.wall();
      this.#watchDeadline(next);
    }
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: LinkEffect): void {
    switch (effect.do) {
      case "dial":
        void this.#dial();
        break;
      case "secure":
        void this.#secure();
        break;
      case "send-connect":
        this.#sendConnect();
        break;
      case "send-interest":
        this.#sendInterest();
        break;
      case "announce-ready":
        this.#announceReady();
        break;
      case "close":
        this.#close();
        break;
      case "schedule":
        this.#timer?.[Symbol.dispose]();
        this.#timer = this.#env.clock.after(effect.at - this.#env.clock.now(), () => this.#event({ type: "retry" }));
    }
  }

  #watchDeadline(state: LinkState): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    if (!("deadline" in state)) return;
    this.#timer = this.#env.clock.after(state.deadline - this.#env.clock.now(), () => {
      this.#fail(new PetioleError(LEAF_TIMEOUT, timeoutText(state, this.#url.text)));
    });
  }

  /** Ends the attempt or the link, for a reason that people can read. */
  #fail(error: unknown, wait: Millis | null = null): void {
    if (this.#state.at === "waiting" || this.#state.at === "stopped") return;
    const code = error instanceof PetioleError ? error.code : "LEAF_FAILED";
    const grows = error instanceof PetioleError && error.remedy === "backoff";
    const message = explain(error);
    const wasReady = this.#state.at === "ready";
    this.#lastError = { code, message, wall: this.#env.clock.wall() };
    this.#event({ type: "ended", wait, grows });
    this.#env.log.warn(`${wasReady ? "link lost" : "no link"}: ${message}`, {
      code,
      url: this.#url.text,
      retry_in_ms: this.#retryIn(),
    });
  }

  #retryIn(): Millis | undefined {
    return this.#state.at === "waiting" ? Math.max(0, Math.round(this.#state.until - this.#env.clock.now())) : undefined;
  }

  // ── effects ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #dial(): Promise<void> {
    this.#urlIndex = (this.#urlIndex + 1) % this.#urls.length;
    const attempt = new AbortController();
    this.#attempt = attempt;
    const url = this.#url;
    this.#isTls = false;
    try {
      const stream = await this.#env.net.dial(url.endpoint, attempt.signal);
      if (attempt.signal.aborted) {
        stream.destroy();
        return;
      }
      this.#connection = new LeafConnection(stream, url.text, this.#env.clock, {
        onBatch: (batch) => this.#events.onBatch(batch),
        onInterest: (filter, queue) => this.#onInterest(filter, queue),
        onInterestGone: (filter, queue) => this.#events.onInterestGone(filter, queue),
        onInfo: (json) => this.#onInfo(json),
        onError: (text) => this.#onHubError(text),
        onReceipt: () => this.#events.onReceipt(),
        onRoundTrip: (rtt) => this.#onRoundTrip(rtt),
        onRoom: () => this.#events.onRoom(),
        onEnded: (error) => this.#fail(this.#inPhase(error)),
      });
      this.#event({ type: "dialed" });
    } catch (cause) {
      if (attempt.signal.aborted) return;
      this.#fail(new PetioleError(LEAF_DIAL_FAILED, `cannot reach hub ${url.text}`, { cause }));
    }
  }

  async #secure(): Promise<void> {
    const connection = this.#connection;
    const { signal } = this.#attempt!;
    assert(connection !== undefined, "secure without a connection");
    const url = this.#url;
    const stream = connection.detach();
    stream.on("error", () => undefined); // the handshake reports it; a bare stream without a listener would end the process
    const destroy = () => stream.destroy();
    signal.addEventListener("abort", destroy, { once: true });
    try {
      const files = await readTlsFiles(this.#env.disk, this.#identity.dataDir, this.#remote.tls);
      const socket = await secure(stream, { host: url.endpoint.host, label: url.text }, this.#remote.tls, files, signal);
      connection.attach(socket);
      this.#isTls = true;
      this.#event({ type: "secured" });
    } catch (error) {
      if (signal.aborted) return;
      stream.destroy();
      this.#fail(error);
    } finally {
      signal.removeEventListener("abort", destroy);
    }
  }

  #sendConnect(): void {
    const url = this.#url;
    const login = loginFor(this.#remote, url);
    const { serverName, account } = this.#identity;
    assert(this.#isTls || this.#rulesNow().tls === "if-asked", "credentials must not leave in clear");
    const connect: LeafConnect = {
      version: COMPATIBLE_VERSION,
      name: serverName,
      cluster: serverName, // as a standalone nats-server does: the hub then tells a reconnect from a stranger (spec §6.4)
      headers: true,
      remote_account: account,
      compress_mode: this.#info?.compression === null ? "not supported" : "off",
      protocol: 1,
      ...(this.#remote.isolated ? { isolate: true as const } : {}),
      ...(this.#remote.denyImports.length > 0 ? { deny_pub: this.#remote.denyImports } : {}),
      ...(login?.kind === "password" ? { user: login.user, pass: login.password.reveal() } : {}),
      ...(login?.kind === "token" ? { user: login.token.reveal(), auth_token: login.token.reveal() } : {}),
    };
    writeConnect(this.#connection!.out, connect);
    this.#connection!.flushNow();
  }

  #sendInterest(): void {
    const connection = this.#connection!;
    connection.out.text(`LS+ ${this.#loopSubject}\r\n`);
    this.#events.writeInterest(connection.out, this.#info!);
    connection.ping(); // its PONG comes behind the hub's whole interest (spec §10.3)
  }

  #announceReady(): void {
    this.#connects += 1;
    this.#lastError = null;
    this.#liveness = this.#env.clock.every(LIVENESS_EVERY_MS, () => this.#checkLiveness());
    const { name, version } = this.#info!;
    this.#env.log.info("link ready", { url: this.#url.text, hub: name, version, tls: this.#isTls, rtt_ms: this.status().rttMs });
    this.#events.onReady(this.#connection!, this.#info!);
  }

  #close(): void {
    this.#liveness?.[Symbol.dispose]();
    this.#liveness = undefined;
    this.#attempt?.abort(new PetioleError(LEAF_STOPPED, "the attempt was given up"));
    this.#pastBytesIn += this.#connection?.bytesIn ?? 0;
    this.#pastBytesOut += this.#connection?.bytesOut ?? 0;
    this.#connection?.abort();
    this.#connection = undefined;
    this.#info = null;
    this.#rtt = null;
    this.#events.onDown();
  }

  // ── from the hub ────────────────────────────────────────────────────────────────────────────────────────────────────

  #onInfo(json: string): void {
    try {
      const info = parseInfo(json);
      if (this.#state.at === "awaiting-info") {
        assertLeafPort(info, this.#url.text);
        this.#info = info;
        this.#event({ type: "info", tlsRequired: info.tlsRequired });
      } else if (this.#state.at === "joining" && info.isAnswerToConnect) {
        this.#info = info;
        this.#event({ type: "joined" });
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #onHubError(text: string): void {
    if (isHarmless(text)) {
      this.#env.log.warn(`the hub did not accept a subscription: ${text}`, { url: this.#url.text });
      return;
    }
    const { error, wait } = rejectionOf(this.#url.text, text);
    this.#fail(error, wait);
  }

  #onInterest(filter: string, queue: string | null): void {
    if (filter !== this.#loopSubject) {
      if (!filter.startsWith("$LDS.")) this.#events.onInterest(filter, queue);
      return;
    }
    const text = `Loop detected for leafnode account="${this.#identity.account}". Delaying attempt to reconnect for 30s`;
    writeError(this.#connection!.out, text);
    this.#connection!.flushNow();
    this.#fail(new PetioleError(LEAF_LOOP, rejectionOf(this.#url.text, text).error.message, { remedy: "backoff" }), 30_000);
  }

  #onRoundTrip(rtt: Millis): void {
    this.#rtt = this.#rtt === null ? rtt : this.#rtt * 0.875 + rtt * 0.125;
    if (this.#state.at === "syncing") this.#event({ type: "synced" });
  }

  #checkLiveness(): void {
    const connection = this.#connection!;
    const now = this.#env.clock.now();
    const silent = connection.silentFor(now);
    if (connection.oldestPing(now) >= STALE_AFTER_MS && silent >= STALE_AFTER_MS) {
      this.#fail(
        new PetioleError(
          LEAF_STALE,
          `hub ${this.#url.text} sent nothing for ${Math.round(silent / 1000)} s and left a PING unanswered`,
        ),
      );
    } else if (connection.oldestPing(now) === 0 && silent >= PING_AFTER_MS) connection.ping();
  }

  // ── small things ────────────────────────────────────────────────────────────────────────────────────────────────────

  get #url(): RemoteUrl {
    return this.#urls[Math.max(0, this.#urlIndex)]!;
  }

  /** A tls:// URL or a tls block means TLS or no connection (DESIGN §4.6). */
  #rulesNow(): LinkRules {
    // A dial moves on to the next URL before it connects, so `waiting` never reads this for the wrong one.
    const { tls } = this.#remote;
    if (tls?.handshakeFirst) return { ...this.#rules, tls: "first" };
    return { ...this.#rules, tls: tls !== null || this.#url.isTls ? "required" : "if-asked" };
  }

  /** What a breach means before the hub has shown that it is one. */
  #inPhase(error: Error): Error {
    if (this.#state.at !== "awaiting-info" || !(error instanceof PetioleError) || !error.code.startsWith("WIRE_")) return error;
    return new PetioleError(LEAF_NOT_NATS, `${this.#url.text} does not speak NATS; wanted the leaf port of a nats-server`, {
      remedy: "backoff",
      cause: error,
    });
  }
}

function timeoutText(state: LinkState, url: string): string {
  switch (state.at) {
    case "dialing":
      return `hub ${url} did not answer within ${DIAL_TIMEOUT_MS / 1000} s; check the address, the network and the firewall`;
    case "securing":
      return `hub ${url} did not finish the TLS handshake within ${PHASE_TIMEOUT_MS / 1000} s; check tls.handshake_first and the port`;
    case "awaiting-info":
      return `hub ${url} was reached but said nothing for ${PHASE_TIMEOUT_MS / 1000} s; if it does TLS first, set tls.handshake_first to true`;
    default:
      return `hub ${url} did not go on with the introduction within ${PHASE_TIMEOUT_MS / 1000} s (${state.at})`;
  }
}

function shuffled<T>(items: readonly T[], entropy: Entropy): readonly T[] {
  return items
    .map((item) => ({ item, key: entropy.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
