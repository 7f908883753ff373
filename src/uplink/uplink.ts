// One remote, whole: its link, its outbox, what its hub listens to, and the local interest announced to it.
//
//   router ◀─ door ─── batches ◀── link ◀── hub          commands, replies
//   router ── slot ──▶ outbox ───▶ link ──▶ hub          readings

import type { Clock, Millis } from "#base/clock.ts";
import { ensureDirectory } from "#base/disk.ts";
import type { Env } from "#base/env.ts";
import type { Log } from "#base/log.ts";
import type { Resolver } from "#base/resolver.ts";
import type { TimeKeeper } from "#base/time-keeper.ts";
import { type Batch, replyOf } from "#core/batch.ts";
import type { Origin } from "#core/sink.ts";
import type { OutboxOptions } from "#outbox/options.ts";
import { type Outbox, openOutbox } from "#outbox/outbox.ts";
import type { SubjectPlan } from "#outbox/plans.ts";
import { Reconciliation } from "#outbox/reconcile/reconcile.ts";
import type { Reconcile } from "#outbox/reconcile/reconciling.ts";
import { StreamDirectory } from "#outbox/streams/stream-directory.ts";
import { CLASSES } from "#outbox/urgency.ts";
import type { AccountRouter, Door } from "#router/router.ts";
import type { UpstreamSlot } from "#router/upstream-slot.ts";
import type { S2Codec } from "#s2/codec.ts";
import { S2Packer } from "#s2/packer.ts";
import { writeInterest, writeInterestGone, writeNoResponders } from "#wire/leaf-lines.ts";
import type { WireWriter } from "#wire/wire-writer.ts";
import { AddressBook } from "./address-book.ts";
import { Dialer } from "./dialer.ts";
import { ForeignInterest } from "./foreign-interest.ts";
import type { HubInfo } from "./hub-info.ts";
import { HubInterest } from "./hub-interest.ts";
import { HubViewOf } from "./hub-view.ts";
import { Inbox } from "./inbox.ts";
import { Link } from "./link.ts";
import type { LinkEvents } from "./link-events.ts";
import { LinkHistory } from "./link-history.ts";
import { type RemoteOptions, remoteName } from "./options.ts";
import { OutageBook } from "./outage-book.ts";
import { type RoundTrip, roundTrip } from "./round-trip.ts";

export interface UplinkDeps {
  readonly account: AccountRouter;
  readonly outbox: OutboxOptions;
  readonly serverName: string;
  readonly deviceId: string;
  readonly dataDir: string;
  /** Our own limits.max_payload; the hub's lower one applies once it is known. */
  readonly maxPayload: number;
  /** All one for the process. */
  readonly codec: S2Codec;
  readonly resolver: Resolver;
  readonly time: TimeKeeper;
  /** Keeps updates out until disposed. Absent: there are none. */
  holdUpdates?(): Disposable | undefined;
}

/** Subjects by which loops show (spec §16); never wanted by anybody. */
const LOOP_PREFIX = "$LDS.";
/** Who may not ask this is told nothing of streams. */
const LISTING = "$JS.API.STREAM.NAMES";
/** How long a closing uplink waits for the hub to confirm what it was sent. What it does not confirm is committed to flash. */
const LAST_RECEIPT_MS = 2000;

/** Name of a remote's folder below `outbox/`. */
export function outboxFolder(remote: Pick<RemoteOptions, "name" | "account">): string {
  return encodeURIComponent(remoteName(remote));
}

export async function openUplink(remote: RemoteOptions, deps: UplinkDeps, env: Env, signal: AbortSignal): Promise<Uplink> {
  await using scope = new AsyncDisposableStack();
  const directory = `${deps.dataDir}/outbox/${outboxFolder(remote)}`;
  await ensureDirectory(env.disk, directory);
  const log = env.log.part("uplink");
  const parts: { uplink?: Uplink } = {};
  const interest = scope.use(await HubInterest.open(directory, { ...env, log }, () => parts.uplink?.onInterestForgotten()));
  const book = scope.use(await AddressBook.open(directory, { ...env, log }));
  const dialer = new Dialer({ clock: env.clock, net: env.net, resolver: deps.resolver, log }, book);
  const view = new HubViewOf(interest, remote, deps.maxPayload, env.clock);
  const inbox = new Inbox({
    clock: env.clock,
    entropy: env.entropy,
    view,
    carrier: () => parts.uplink?.link.carrier,
    onAnswer: (classIndex, seq, answer) => parts.uplink?.outbox.onAnswer(classIndex, seq, answer),
    hasJetStream: () => interest.hasJetStream,
  });
  const origin: Origin = {
    kind: "hub",
    label: `hub of ${remoteName(remote)}`,
    mayPublish: (subject) => view.mayDeliver(subject),
    onDenied: () => undefined, // deny_imports is the owner's wish
    onNoResponders: (batch, index) => parts.uplink?.onNoResponders(batch, index),
    onSafe: () => undefined,
    pause: () => undefined, // a spoke must keep reading (spec §11.7); sinks bound what they queue
    resume: () => undefined,
  };
  const hold = deps.holdUpdates === undefined ? {} : { hold: deps.holdUpdates };
  const outboxEnv = { ...env, log: env.log.part("outbox"), time: deps.time, packer: new S2Packer(deps.codec), ...hold };
  const reconciliation = new Reconciliation(inbox, deps.deviceId, { ...outboxEnv, hub: () => parts.uplink?.hubName ?? "" });
  const streamDesk = new StreamDirectory(inbox, {
    clock: env.clock,
    hub: () => parts.uplink?.clusterName ?? "",
    mayAsk: () => interest.hasJetStream && view.mayExport(LISTING) && parts.uplink?.link.carrier?.inbox != null,
  });
  const reconcile: Reconcile = (lanes, ending, isHeldUp) => reconciliation.reconcile(lanes, ending, isHeldUp);
  const outbox = scope.use(
    await openOutbox(
      deps.outbox,
      {
        device: deps.deviceId,
        directory,
        secretsDirectory: `${deps.dataDir}/secrets`,
        hub: view,
        origin,
        servedGroups: (subject) => deps.account.servedGroups(subject),
        reconcile,
        lookFor: (subjects, since, ending) => reconciliation.lookFor(subjects, since, ending),
        streamDesk,
      },
      outboxEnv,
      signal,
    ),
  );
  const uplink = new Uplink(
    remote,
    deps,
    { interest, outbox, view, origin, dialer, inbox, reconciliation },
    { ...env, log },
    scope.move(),
  );
  parts.uplink = uplink;
  return uplink;
}

interface UplinkParts {
  readonly interest: HubInterest;
  readonly outbox: Outbox;
  readonly view: HubViewOf;
  readonly origin: Origin;
  readonly dialer: Dialer;
  readonly inbox: Inbox;
  readonly reconciliation: Reconciliation;
}

export class Uplink implements AsyncDisposable {
  readonly name: string;
  readonly account: string;
  /** Isolation is asked for. */
  isIsolated: boolean;
  /** Of the hub that we joined last; "" before. */
  hubName = "";
  /** The cluster it is one of: whoever of it is at the other end, the streams are the same. */
  clusterName = "";
  readonly outbox: Outbox;
  /** Another one after `relink`. */
  link: Link;
  readonly #openLink: (remote: RemoteOptions) => Link;
  /** What the link went through lately, and what was kept meanwhile. */
  readonly history: LinkHistory;
  readonly outages: OutageBook;
  readonly #losses: Disposable;
  readonly #interest: HubInterest;
  readonly #view: HubViewOf;
  readonly #door: Door;
  readonly #slot: UpstreamSlot;
  readonly #scope: AsyncDisposableStack;
  readonly #account: AccountRouter;
  #foreign: ForeignInterest;
  readonly #log: Log;
  readonly #clock: Clock;
  #toldIsolation: string | null = null;
  readonly #watch: Disposable;
  readonly #inbox: Inbox;
  readonly #reconciliation: Reconciliation;
  #messagesIn = 0;
  #closed: Promise<void> | undefined;

  constructor(remote: RemoteOptions, deps: UplinkDeps, parts: UplinkParts, env: Env, scope: AsyncDisposableStack) {
    this.name = remoteName(remote);
    this.account = remote.account;
    this.isIsolated = remote.isolated;
    this.#foreign = new ForeignInterest(remote.isolated);
    this.#log = env.log;
    this.#clock = env.clock;
    this.outbox = parts.outbox;
    this.#interest = parts.interest;
    this.#view = parts.view;
    this.#inbox = parts.inbox;
    this.#reconciliation = parts.reconciliation;
    this.#scope = scope;
    this.#account = deps.account;
    this.#door = deps.account.open(parts.origin);
    this.#slot = deps.account.addUpstream(parts.outbox);
    parts.outbox.attach(this.#slot);
    this.history = new LinkHistory(env.clock);
    this.outages = new OutageBook(env.clock, () =>
      parts.outbox.lanes.all.map((lane, i) => ({ class: CLASSES[i]!, ...lane.status() })),
    );
    this.#losses = parts.outbox.losses.onEntry((entry) => this.outages.onLoss(entry));
    const identity = { serverName: deps.serverName, dataDir: deps.dataDir, account: remote.account };
    const linkEnv = { ...env, codec: deps.codec, dialer: parts.dialer, history: this.history };
    this.#openLink = (options) => new Link(options, identity, linkEnv, this.#linkEvents());
    this.link = this.#openLink(remote);
    this.#watch = deps.account.watchInterest((filter, queue, members) => this.#onLocalInterest(filter, queue, members));
  }

  #linkEvents(): LinkEvents {
    return {
      writeInterest: (out, info) => this.#onJoined(out, info),
      onReady: (carrier) => {
        this.#interest.complete();
        this.#tellIsolation();
        this.outages.onReady();
        this.outbox.onReady(carrier);
      },
      onDown: () => {
        this.#interest.clear();
        this.#view.forget();
        this.#foreign.onDown();
        this.#inbox.onDown();
        this.outbox.onDown();
        this.outages.onDown();
      },
      onBatch: (batch) => {
        this.#messagesIn += batch.count;
        const rest = this.#inbox.sift(batch);
        if (rest.count === 0) return;
        this.#view.answers.note(rest);
        this.#door.publish(rest);
      },
      onInterest: (filter, queue) => this.#onHubInterest(filter, queue),
      onInterestGone: (filter, queue) => this.#onHubInterestGone(filter, queue),
      onRejected: (text) => {
        const learnt = this.#view.onRefused(text);
        if (learnt !== null) this.#log.warn(learnt, { remote: this.name, error: text });
      },
      onReceipt: () => this.outbox.onReceipt(),
      onRoom: () => this.outbox.onRoom(),
    };
  }

  start(): void {
    this.link.start();
  }

  /**
   * Another link, by other URLs, credentials or rules of its own; of the same name and account. The outbox stays open: what is kept
   * goes out by the new one, and what was in doubt on the old one is looked for or sent again, as after any loss of a link.
   */
  async relink(remote: RemoteOptions): Promise<void> {
    await this.outbox.lanes.settle(LAST_RECEIPT_MS);
    if (this.#closed !== undefined) return;
    await this.link[Symbol.asyncDispose]();
    this.isIsolated = remote.isolated;
    this.#foreign = new ForeignInterest(remote.isolated);
    this.#toldIsolation = null;
    this.#view.change(remote);
    this.outbox.onInterest(); // deny lists
    this.link = this.#openLink(remote);
    this.link.start();
  }

  /** Interest that the hub lost a while ago is no longer waited for. */
  onInterestForgotten(): void {
    this.outbox.onInterest();
  }

  /** A request from the hub found nobody here: its requestor need not wait. */
  onNoResponders(batch: Batch, index: number): void {
    const { carrier } = this.link;
    const reply = replyOf(batch, index);
    if (carrier === undefined || !(this.#view.mayExport(reply) || this.#view.answers.spend(reply))) return;
    writeNoResponders(carrier.out, reply);
    carrier.flushSoon();
  }

  /** What would become of a message on this literal subject now, for people who ask. */
  outlook(subject: string, servedGroups: readonly string[]): { readonly plan: SubjectPlan; readonly payloadBytesMax: number } {
    return { plan: this.outbox.outlook(subject, servedGroups), payloadBytesMax: this.#view.payloadBytesMax };
  }

  /** Whether something gets to the hub and back, as far as that can be proved. Ends with the signal's reason. */
  roundTrip(budget: Millis, signal: AbortSignal): Promise<RoundTrip> {
    return roundTrip({ clock: this.#clock, inbox: this.#inbox, carrier: () => this.link.carrier }, budget, signal);
  }

  /** Filters the hub listens to, latin1 form, one per queue group. */
  hubFilters(): Iterable<string> {
    return this.#interest.filters();
  }

  status() {
    return {
      name: this.name,
      account: this.account,
      link: this.link.status(),
      outbox: this.outbox.status(),
      hubInterest: this.#interest.size,
      isIsolated: this.isIsolated,
      isolationFault: this.#foreign.fault,
      messagesIn: this.#messagesIn,
      /** The last look at what the hub's streams hold already; null before the first. */
      reconciliation: this.#reconciliation.last,
    };
  }

  /** Goodbye to the hub, then commit what it did not confirm. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#watch[Symbol.dispose]();
    this.#losses[Symbol.dispose]();
    await this.outbox.lanes.settle(LAST_RECEIPT_MS);
    await this.link[Symbol.asyncDispose]();
    await this.#scope.disposeAsync();
    this.#slot[Symbol.dispose]();
    this.#door.close();
  }

  #onHubInterest(filter: string, queue: string | null): void {
    this.#foreign.onInterest(filter);
    if (filter.startsWith(LOOP_PREFIX)) {
      if (this.link.isReady) this.#tellIsolation();
    } else if (this.#interest.add(filter, queue)) this.#onInterestChanged(filter);
  }

  #onHubInterestGone(filter: string, queue: string | null): void {
    this.#foreign.onInterestGone(filter);
    if (this.#interest.remove(filter, queue)) this.#onInterestChanged(filter);
  }

  /** Once per cause: a fleet that comes and goes must not fill the log. */
  #tellIsolation(): void {
    const { fault } = this.#foreign;
    if (fault === null || fault.cause === this.#toldIsolation) return;
    this.#toldIsolation = fault.cause;
    this.#log.warn(`isolation: ${fault.text}`, { remote: this.name });
  }

  #onInterestChanged(filter: string): void {
    if (this.link.isReady) this.outbox.onInterest(filter);
  }

  // ── local interest towards the hub ──────────────────────────────────────────────────────────────────────────────────

  #onLocalInterest(filter: string, queue: string | null, members: number): void {
    const carrier = this.link.carrier;
    if (carrier === undefined || !this.#view.mayAnnounce(filter)) return;
    if (members === 0) writeInterestGone(carrier.out, filter, queue);
    else writeInterest(carrier.out, filter, queue, members);
    carrier.flushSoon();
  }

  #onJoined(out: WireWriter, info: HubInfo): void {
    this.hubName = info.name;
    this.clusterName = info.cluster ?? info.name;
    this.#view.learn(info);
    this.#foreign.onHub(info.name, info.version);
    for (const { filter, queue, members } of this.#account.localInterest()) {
      if (this.#view.mayAnnounce(filter)) writeInterest(out, filter, queue, members);
    }
    this.#openInbox(out);
  }

  /** Streams answer there. Where the hub leaves that out, we say nothing: a refusal could end the link. */
  #openInbox(out: WireWriter): void {
    const { carrier } = this.link;
    if (carrier === undefined || !this.#view.hearsAll(this.#inbox.filter)) return;
    writeInterest(out, this.#inbox.filter, null, 1);
    carrier.inbox = this.#inbox.prefix;
  }
}
