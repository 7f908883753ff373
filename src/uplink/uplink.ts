// One remote, whole: its link, its outbox, what its hub listens to, and the local interest announced to it.
//
//   router ◀─ door ─── batches ◀── link ◀── hub          commands, replies
//   router ── slot ──▶ outbox ───▶ link ──▶ hub          readings

import { type PermissionList, permits } from "#access/permissions.ts";
import { ensureDirectory } from "#base/disk.ts";
import type { Env } from "#base/env.ts";
import type { Origin } from "#core/sink.ts";
import { filterCovers, isValidSubject, isWildcard } from "#core/subject.ts";
import type { HubView } from "#outbox/hub-view.ts";
import type { OutboxOptions } from "#outbox/options.ts";
import { type Outbox, openOutbox } from "#outbox/outbox.ts";
import type { AccountRouter, Door } from "#router/router.ts";
import type { UpstreamSlot } from "#router/upstream-slot.ts";
import { writeInterest, writeInterestGone } from "#wire/leaf-lines.ts";
import type { WireWriter } from "#wire/wire-writer.ts";
import type { HubInfo } from "./hub-info.ts";
import { HubInterest } from "./hub-interest.ts";
import { Link } from "./link.ts";
import type { RemoteOptions } from "./options.ts";

export interface UplinkDeps {
  readonly account: AccountRouter;
  readonly outbox: OutboxOptions;
  readonly serverName: string;
  readonly deviceId: string;
  readonly dataDir: string;
  /** Our own limits.max_payload; the hub's lower one applies once it is known. */
  readonly maxPayload: number;
}

/** How long a closing uplink waits for the hub to confirm what it was sent. What it does not confirm is committed to flash. */
const LAST_RECEIPT_MS = 2000;

/** Name of an account's folder below `outbox/`. */
export function outboxFolder(account: string): string {
  return encodeURIComponent(account);
}

export async function openUplink(remote: RemoteOptions, deps: UplinkDeps, env: Env, signal: AbortSignal): Promise<Uplink> {
  await using scope = new AsyncDisposableStack();
  const directory = `${deps.dataDir}/outbox/${outboxFolder(remote.account)}`;
  await ensureDirectory(env.disk, directory);
  const log = env.log.part("uplink");
  const parts: { uplink?: Uplink } = {};
  const interest = scope.use(await HubInterest.open(directory, { ...env, log }, () => parts.uplink?.onInterestForgotten()));
  const origin: Origin = {
    kind: "hub",
    label: `hub of ${remote.account}`,
    mayPublish: (subject) => !remote.denyImports.some((filter) => filterCovers(filter, subject)),
    onDenied: () => undefined, // deny_imports is the owner's wish
    onSafe: () => undefined,
    pause: () => undefined, // a spoke must keep reading (spec §11.7); sinks bound what they queue
    resume: () => undefined,
  };
  const view = new HubViewOf(interest, remote, deps.maxPayload);
  const outbox = scope.use(
    await openOutbox(
      deps.outbox,
      { device: deps.deviceId, directory, hub: view, origin, servedGroups: (subject) => deps.account.servedGroups(subject) },
      { ...env, log: env.log.part("outbox") },
      signal,
    ),
  );
  const uplink = new Uplink(remote, deps, { interest, outbox, view, origin }, { ...env, log }, scope.move());
  parts.uplink = uplink;
  return uplink;
}

interface UplinkParts {
  readonly interest: HubInterest;
  readonly outbox: Outbox;
  readonly view: HubViewOf;
  readonly origin: Origin;
}

export class Uplink implements AsyncDisposable {
  readonly account: string;
  readonly outbox: Outbox;
  readonly link: Link;
  readonly #remote: RemoteOptions;
  readonly #interest: HubInterest;
  readonly #view: HubViewOf;
  readonly #door: Door;
  readonly #slot: UpstreamSlot;
  readonly #scope: AsyncDisposableStack;
  readonly #account: AccountRouter;
  readonly #watch: Disposable;
  #messagesIn = 0;
  #closed: Promise<void> | undefined;

  constructor(remote: RemoteOptions, deps: UplinkDeps, parts: UplinkParts, env: Env, scope: AsyncDisposableStack) {
    this.account = remote.account;
    this.outbox = parts.outbox;
    this.#remote = remote;
    this.#interest = parts.interest;
    this.#view = parts.view;
    this.#scope = scope;
    this.#account = deps.account;
    this.#door = deps.account.open(parts.origin);
    this.#slot = deps.account.addUpstream(parts.outbox);
    parts.outbox.attach(this.#slot);
    this.link = new Link(remote, { serverName: deps.serverName, dataDir: deps.dataDir, account: remote.account }, env, {
      writeInterest: (out, info) => this.#writeAllInterest(out, info),
      onReady: (carrier) => {
        this.#interest.complete();
        this.outbox.onReady(carrier);
      },
      onDown: () => {
        this.#interest.clear();
        this.#view.forget();
        this.outbox.onDown();
      },
      onBatch: (batch) => {
        this.#messagesIn += batch.count;
        this.#door.publish(batch);
      },
      onInterest: (filter, queue) => this.#onHubInterest(filter, this.#interest.add(filter, queue)),
      onInterestGone: (filter, queue) => this.#onHubInterest(filter, this.#interest.remove(filter, queue)),
      onReceipt: () => this.outbox.onReceipt(),
      onRoom: () => this.outbox.onRoom(),
    });
    this.#watch = deps.account.watchInterest((filter, queue, members) => this.#onLocalInterest(filter, queue, members));
  }

  start(): void {
    this.link.start();
  }

  /** Interest that the hub lost a while ago is no longer waited for. */
  onInterestForgotten(): void {
    this.outbox.onInterest();
  }

  status() {
    return {
      account: this.account,
      link: this.link.status(),
      outbox: this.outbox.status(),
      hubInterest: this.#interest.size,
      messagesIn: this.#messagesIn,
    };
  }

  /** Goodbye to the hub, then commit what it did not confirm. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#watch[Symbol.dispose]();
    await this.outbox.lane.settle(LAST_RECEIPT_MS);
    await this.link[Symbol.asyncDispose]();
    await this.#scope.disposeAsync();
    this.#slot[Symbol.dispose]();
    this.#door.close();
  }

  #onHubInterest(filter: string, isChanged: boolean): void {
    if (isChanged && this.link.isReady) this.outbox.onInterest(isValidSubject(filter) ? filter : undefined);
  }

  // ── local interest towards the hub ──────────────────────────────────────────────────────────────────────────────────

  #onLocalInterest(filter: string, queue: string | null, members: number): void {
    const carrier = this.link.carrier;
    if (carrier === undefined || !this.#mayAnnounce(filter)) return;
    if (members === 0) writeInterestGone(carrier.out, filter, queue);
    else writeInterest(carrier.out, filter, queue, members);
    carrier.flush();
  }

  #writeAllInterest(out: WireWriter, info: HubInfo): void {
    this.#view.learn(info);
    for (const { filter, queue, members } of this.#account.localInterest()) {
      if (this.#mayAnnounce(filter)) writeInterest(out, filter, queue, members);
    }
  }

  /** A literal outside the hub's import list would end the link (spec §14.1); a wildcard is narrowed by the hub itself. */
  #mayAnnounce(filter: string): boolean {
    if (this.#remote.denyImports.some((denied) => filterCovers(denied, filter))) return false;
    return isWildcard(filter) || this.#view.mayImport(filter);
  }
}

/** What the outbox asks about the hub, answered from its interest and its INFO. */
class HubViewOf implements HubView {
  readonly #interest: HubInterest;
  readonly #denyExports: readonly string[];
  readonly #ownMaxPayload: number;
  #imports: PermissionList | null = null;
  #exports: PermissionList | null = null;
  #hubMaxPayload = Number.POSITIVE_INFINITY;

  constructor(interest: HubInterest, remote: RemoteOptions, maxPayload: number) {
    this.#interest = interest;
    this.#denyExports = remote.denyExports;
    this.#ownMaxPayload = maxPayload;
  }

  learn(info: HubInfo): void {
    this.#imports = info.importPermissions;
    this.#exports = info.exportPermissions;
    this.#hubMaxPayload = info.maxPayload;
  }

  /** Permissions belong to one connection; the payload limit is kept as the best guess for the next. */
  forget(): void {
    this.#imports = null;
    this.#exports = null;
  }

  get payloadBytesMax(): number {
    return Math.min(this.#ownMaxPayload, this.#hubMaxPayload);
  }

  listening(subject: string, servedGroups: readonly string[]) {
    return this.#interest.listening(subject, servedGroups);
  }

  groups(subject: string, servedGroups: readonly string[]): readonly string[] {
    return this.#interest.groups(subject, servedGroups);
  }

  mayExport(subject: string): boolean {
    if (this.#denyExports.some((filter) => filterCovers(filter, subject))) return false;
    return this.#exports === null || permits(this.#exports, subject);
  }

  mayImport(subject: string): boolean {
    return this.#imports === null || permits(this.#imports, subject);
  }
}
