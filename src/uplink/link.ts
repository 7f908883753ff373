// Keeps one link to a hub: the shell around link-state.ts. Has each step done (handshake.ts) in its turn, and never stops trying.

import { assert } from "#base/assert.ts";
import type { Millis, WallMillis } from "#base/clock.ts";
import { explain, PetioleError } from "#base/errors.ts";
import { writeError } from "#wire/leaf-lines.ts";
import { Attempt } from "./attempt.ts";
import { agree } from "./compression.ts";
import type { ConnectionEvents, LeafConnection } from "./connection.ts";
import { explainRejectedLogin } from "./credentials.ts";
import { LEAF_LOOP, LEAF_NOT_NATS, LEAF_TIMEOUT } from "./errors.ts";
import { Handshake } from "./handshake.ts";
import { assertLeafPort, type HubInfo, parseInfo } from "./hub-info.ts";
import type { LinkEnv, LinkEvents, LinkIdentity } from "./link-events.ts";
import { LinkHistory } from "./link-history.ts";
import { rulesFor } from "./link-rules.ts";
import { type LinkEffect, type LinkEvent, type Link as LinkState, step } from "./link-state.ts";
import { attemptStatus, bytesOf, type LinkBytes, type LinkStatus, NO_BYTES, plus } from "./link-status.ts";
import { Liveness } from "./liveness.ts";
import type { RemoteOptions } from "./options.ts";
import { PhaseTimer } from "./phase-timer.ts";
import { timeoutText } from "./phase-words.ts";
import { isHarmless, rejectionOf } from "./rejection.ts";
import { Relocation } from "./relocation.ts";
import type { RemoteUrl } from "./remote-url.ts";
import { Transport } from "./transport.ts";
import { type UrlChoice, UrlList } from "./url-list.ts";

export class Link implements AsyncDisposable {
  readonly #remote: RemoteOptions;
  readonly #identity: LinkIdentity;
  readonly #env: LinkEnv;
  readonly #events: LinkEvents;
  readonly #timer: PhaseTimer;
  readonly #urls: UrlList;
  readonly #transport: Transport;
  readonly #handshake: Handshake;
  readonly #relocation: Relocation;
  readonly #liveness: Liveness;
  /** What it went through lately. */
  readonly history: LinkHistory;
  /** Subject by which a loop shows, spec §16. Random per process. */
  readonly #loopSubject: string;
  #state: LinkState;
  #since: WallMillis;
  /** The URL of this attempt, or of the last one. */
  #choice: UrlChoice;
  /** Undefined while waiting. */
  #attempt: Attempt | undefined;
  #lastError: LinkStatus["lastError"] = null;
  #connects = 0;
  #past: LinkBytes = NO_BYTES;

  constructor(remote: RemoteOptions, identity: LinkIdentity, env: LinkEnv, events: LinkEvents) {
    this.#remote = remote;
    this.#identity = identity;
    this.#env = env;
    this.history = env.history ?? new LinkHistory(env.clock);
    this.#events = events;
    this.#timer = new PhaseTimer(env.clock, {
      onExpired: (state, limit) => this.#onExpired(state, limit),
      onRetry: () => this.#event({ type: "retry" }),
    });
    this.#urls = new UrlList(remote, env.entropy);
    this.#choice = { url: remote.urls[0]!, isConfigured: true, tlsHost: remote.urls[0]!.endpoint.host };
    this.#transport = new Transport(remote, env);
    this.#handshake = new Handshake(remote, identity, env, this.#transport);
    const moving = {
      urls: this.#urls,
      connect: (choice: UrlChoice, signal: AbortSignal) => this.#transport.connect(choice, signal),
      timeout: () => this.#timer.patience.dialTimeout(0),
      go: (to: UrlChoice, why: string) => this.#leave(to, why),
    };
    this.#relocation = new Relocation(moving, env);
    this.#liveness = new Liveness(env.clock, {
      onLost: (error) => this.#fail(error),
      onTick: () => void this.#relocation.onTick(),
    });
    this.#loopSubject = `$LDS.${env.entropy.bytes(16).toString("hex")}`;
    this.#state = { at: "waiting", attempt: 0, until: env.clock.now() };
    this.#since = env.clock.wall();
  }

  start(): void {
    this.#event({ type: "retry" });
  }

  /** For announcing a change of local interest; undefined until the hub has answered CONNECT. */
  get carrier(): LeafConnection | undefined {
    return this.#state.at === "ready" || this.#state.at === "syncing" ? this.#attempt?.connection : undefined;
  }

  get isReady(): boolean {
    return this.#state.at === "ready";
  }

  status(): LinkStatus {
    return {
      state: this.#state.at,
      url: this.#url.text,
      sinceWall: this.#since,
      attempt: this.#state.at === "stopped" ? 0 : this.#state.attempt,
      isWebSocket: this.#url.isWebSocket,
      ...attemptStatus(this.#attempt),
      lastError: this.#lastError,
      connects: this.#connects,
      ...plus(this.#past, bytesOf(this.#attempt)),
      urls: this.#urls.health(this.#env.clock.now()),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#attempt?.connection?.close(); // a goodbye, where `close` as an effect would be abrupt
    this.#event({ type: "stop" });
  }

  // ── the machine ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #event(event: LinkEvent): void {
    const before = this.#state;
    const [next, ...effects] = step(before, event, this.#rulesNow, this.#env.clock.now(), this.#env.entropy.random());
    this.#state = next;
    if (next.at !== before.at) {
      this.#since = this.#env.clock.wall();
      this.#timer.onMoved(before, next, this.#attempt?.connection);
    }
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: LinkEffect): void {
    switch (effect.do) {
      case "dial":
        void this.#dial();
        break;
      case "secure":
        void this.#after(this.#handshake.secure(this.#under().attempt), "secured");
        break;
      case "upgrade":
        void this.#after(this.#handshake.upgrade(this.#under().attempt), "upgraded");
        break;
      case "send-compression":
        this.#handshake.sendCompression(this.#under().attempt);
        break;
      case "send-connect":
        this.#handshake.sendConnect(this.#under().attempt);
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
        this.#timer.retryAt(effect.at);
    }
  }

  #onExpired(state: LinkState, limit: Millis): void {
    const words = timeoutText(state, this.#url.text, limit, this.#env.dialer.underWay());
    this.#fail(new PetioleError(LEAF_TIMEOUT, words));
  }

  /** Ends the attempt or the link, for a reason that people can read. */
  #fail(error: unknown, wait: Millis | null = null): void {
    if (this.#state.at === "waiting" || this.#state.at === "stopped") return;
    const code = error instanceof PetioleError ? error.code : "LEAF_FAILED";
    const grows = error instanceof PetioleError && error.remedy === "backoff";
    const message = explain(error);
    const wasReady = this.#state.at === "ready";
    this.#lastError = { code, message, wall: this.#env.clock.wall() };
    const remedy = error instanceof PetioleError ? error.remedy : "retry";
    this.#urls.onFailed(this.#url, this.#env.clock.now(), { code, message, remedy });
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
    this.#choice = this.#urls.next(this.#env.clock.now());
    const attempt = new Attempt(this.#choice, this.#env.clock.now());
    this.#attempt = attempt;
    this.history.onTrying(this.#url.text);
    await this.#after(this.#handshake.dial(attempt, this.#connectionEvents()), "dialed");
  }

  /** A step of the attempt under way is over when `step` is; what an attempt does that was given up is nobody's business. */
  async #after(step: Promise<void>, done: "dialed" | "secured" | "upgraded"): Promise<void> {
    const { signal } = this.#attempt!;
    try {
      await step;
      if (!signal.aborted) this.#event({ type: done });
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  #connectionEvents(): ConnectionEvents {
    return {
      onBatch: (batch) => this.#events.onBatch(batch),
      onInterest: (filter, queue) => this.#onInterest(filter, queue),
      onInterestGone: (filter, queue) => {
        this.#events.onInterestGone(filter, queue);
        this.#relocation.onInterestGone(filter);
      },
      onInfo: (json) => this.#onInfo(json),
      onError: (text) => this.#onHubError(text),
      onReceipt: () => this.#events.onReceipt(),
      onRoundTrip: () => this.#onRoundTrip(),
      onRoom: () => this.#events.onRoom(),
      onEnded: (error) => this.#fail(this.#inPhase(error)),
    };
  }

  #sendInterest(): void {
    const { attempt, connection } = this.#under();
    connection.out.text(`LS+ ${this.#loopSubject}\r\n`);
    this.#events.writeInterest(connection.out, attempt.info!);
    connection.ping(); // its PONG comes behind the hub's whole interest (spec §10.3)
  }

  #announceReady(): void {
    const { attempt, connection } = this.#under();
    this.#connects += 1;
    this.#lastError = null;
    this.#liveness.watch(connection, this.#url.text);
    this.#relocation.onUp(attempt.choice);
    this.#urls.onUp(this.#url, this.#env.clock.now());
    this.#transport.onUp(attempt.choice);
    this.history.onReady(this.#url.text);
    const { name, version } = attempt.info!;
    this.#env.log.info("link ready", {
      url: this.#url.text,
      hub: name,
      version,
      tls: attempt.isTls,
      rtt_ms: this.status().rttMs,
    });
    this.#events.onReady(connection, attempt.info!);
  }

  #close(): void {
    this.#liveness[Symbol.dispose]();
    this.#relocation.onDown();
    this.history.onDown(this.#url.text);
    this.#past = plus(this.#past, bytesOf(this.#attempt));
    this.#attempt?.abort();
    this.#attempt = undefined;
    this.#events.onDown();
  }

  // ── from the hub ────────────────────────────────────────────────────────────────────────────────────────────────────

  #onInfo(json: string): void {
    try {
      const info = parseInfo(json);
      const { at } = this.#state;
      if (at === "awaiting-info") this.#onFirstInfo(info);
      else if (at === "agreeing") this.#event({ type: "agreed" });
      else if (at === "joining" && info.isAnswerToConnect) {
        this.#under().attempt.info = info;
        this.#learnUrls(info);
        this.#event({ type: "joined" });
      } else if (at === "syncing" || at === "ready") this.#learnUrls(info);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Only what the hub says behind CONNECT: a first INFO in clear may come from anybody on the way. */
  #learnUrls(info: HubInfo): void {
    const urls = this.#url.isWebSocket ? info.webSocketUrls : info.leafUrls;
    if (urls === null) return;
    const refused = this.#urls.onInfo(this.#url, urls, info.cluster);
    if (refused > 0) this.#env.log.debug("the hub told of addresses that are none", { url: this.#url.text, refused });
  }

  #onFirstInfo(info: HubInfo): void {
    assertLeafPort(info, this.#url.text);
    const { attempt } = this.#under();
    attempt.info = info;
    // S2 around WebSocket frames is no WebSocket any more (spec §8.3): permessage-deflate does it there.
    attempt.agreement = agree(this.#url.isWebSocket ? "off" : this.#remote.compression.mode, info.compression);
    this.#event({ type: "info", tlsRequired: info.tlsRequired, compresses: attempt.agreement.announce !== null });
  }

  #onHubError(text: string): void {
    if (isHarmless(text)) {
      this.#env.log.warn(`the hub did not accept a subscription: ${text}`, { url: this.#url.text });
      return;
    }
    const { error, wait } = rejectionOf(this.#url.text, text);
    this.#events.onRejected(text);
    this.#fail(explainRejectedLogin(error, text, this.#attempt?.signer ?? null, this.#env.clock.wall()), wait);
  }

  #onInterest(filter: string, queue: string | null): void {
    if (filter !== this.#loopSubject) {
      this.#events.onInterest(filter, queue);
      return;
    }
    const text = `Loop detected for leafnode account="${this.#identity.account}". Delaying attempt to reconnect for 30s`;
    const { connection } = this.#under();
    writeError(connection.out, text);
    connection.flushNow();
    this.#fail(new PetioleError(LEAF_LOOP, rejectionOf(this.#url.text, text).error.message, { remedy: "backoff" }), 30_000);
  }

  #onRoundTrip(): void {
    const { flow, compression } = this.#under().connection;
    this.#urls.onRoundTrip(this.#url, flow.rtt!);
    compression?.onRoundTrip(flow.rtt!);
    if (this.#state.at === "syncing") this.#event({ type: "synced" });
  }

  /** Goes to another URL while this one still works. */
  #leave(to: UrlChoice, why: string): void {
    if (this.#state.at !== "ready") return;
    this.#env.log.info(why, { from: this.#url.text, to: to.url.text });
    this.#attempt?.connection?.close();
    this.#event({ type: "ended", wait: 0, grows: false });
  }

  // ── small things ────────────────────────────────────────────────────────────────────────────────────────────────────

  get #url(): RemoteUrl {
    return this.#choice.url;
  }

  /** The attempt under way and its connection; asked only where the machine says that there is one. */
  #under(): { readonly attempt: Attempt; readonly connection: LeafConnection } {
    const attempt = this.#attempt;
    assert(attempt?.connection !== undefined, `no connection while ${this.#state.at}`);
    return { attempt, connection: attempt.connection };
  }

  get #rulesNow() {
    return rulesFor(this.#remote, this.#url, this.#state, this.#urls.roundSize, this.#timer.patience);
  }

  /** What the end of the connection means where it came: before the hub has shown that it is one, or in the middle of TLS. */
  #inPhase(error: Error): Error {
    const { at } = this.#state;
    if (at === "awaiting-info" && error instanceof PetioleError && error.code.startsWith("WIRE_")) {
      return new PetioleError(LEAF_NOT_NATS, `${this.#url.text} does not speak NATS; wanted the leaf port of a nats-server`, {
        remedy: "backoff",
        cause: error,
      });
    }
    if (this.#attempt?.isTls !== true) return error;
    const isJoined = at === "syncing" || at === "ready";
    const wantsCertificate = this.#attempt.info?.wantsCertificate ?? false;
    return this.#transport.explain(error, this.#choice, { wantsCertificate, isJoined });
  }
}
