// Ends a process that cannot go on, so that whoever supervises it (container engine, systemd) starts it anew, and keeps why.
//
//   event loop stands still      second thread ──────────────▶ record, SIGKILL
//   a call to the disk hangs     WatchedDisk ── looks ──▶ told ──▶ no hub confirms either: record, SIGKILL
//   a link gets nowhere          its report ── looks ──▶ record, polite end (the outbox goes to flash)
//   a bug was thrown             the process dies of it: record
//
// What was acknowledged is safe in any case (DESIGN §4.3): an end costs a few seconds and the connections of the clients.
// Tests: test/unit/watchdog/, test/integration/watchdog.test.ts

import { type Clock, type Millis, timestamp } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import type { RemoteReport } from "#status/report.ts";
import { BlackBox } from "./black-box.ts";
import { type CrashKind, type CrashRecord, crashFileName, readCrash, writeCrash } from "./crash-record.ts";
import { type WatchdogLimits, watchdogLimits } from "./limits.ts";
import type { WatchdogMachine } from "./machine.ts";
import { Standstill } from "./standstill.ts";
import { progressLimit, progressMark } from "./uplink-progress.ts";
import { WatchedDisk } from "./watched-disk.ts";

/** Of the log of the run that crashed, said again by the one that follows. */
const LINES_SAID = 10;

export interface WatchdogFacts {
  readonly dataDir: string;
  readonly version: string;
}

export interface WatchdogEnv {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Log;
}

/** What is watched beside event loop and disk, once there is something. */
export interface Guarded {
  remotes(): readonly RemoteReport[];
  /** Longest wait of a remote before it dials again, by its name. */
  waitMax(name: string): Millis;
  /** Closes the daemon as SIGTERM does. */
  stop(): void;
}

/** The folder exists. Says how the last run ended, if it did not end well. */
export async function openWatchdog(facts: WatchdogFacts, env: WatchdogEnv, machine: WatchdogMachine): Promise<Watchdog> {
  const watchdog = new Watchdog(facts, env, new WatchedDisk(env.disk), machine);
  try {
    await watchdog.open();
    return watchdog;
  } catch (error) {
    await watchdog[Symbol.asyncDispose]();
    throw error;
  }
}

export class Watchdog implements AsyncDisposable {
  /** The last run that did not end well. */
  lastCrash: CrashRecord | undefined;
  /** What does not answer, in words; null while the disk does. */
  diskFault: string | null = null;
  /** A link got nowhere: whoever closes the daemon should not call that a good end. */
  isEnding = false;
  readonly box = new BlackBox();
  readonly #facts: WatchdogFacts;
  readonly #env: WatchdogEnv;
  readonly #disk: WatchedDisk;
  readonly #machine: WatchdogMachine;
  readonly #limits: WatchdogLimits;
  readonly #startedAt: Millis;
  readonly #diskStands = new Standstill<number>();
  readonly #linksStand = new Map<string, Standstill<string>>();
  /** Remotes whose link was ready at the last look, with what its mark was. */
  readonly #wereReady = new Map<string, string | undefined>();
  readonly #scope = new AsyncDisposableStack();
  #guarded: Guarded | undefined;
  #isKilling = false;

  constructor(facts: WatchdogFacts, env: WatchdogEnv, disk: WatchedDisk, machine: WatchdogMachine) {
    this.#facts = facts;
    this.#env = env;
    this.#disk = disk;
    this.#machine = machine;
    this.#limits = machine.limits ?? watchdogLimits;
    this.#startedAt = env.clock.now();
  }

  /** The disk that everything must go through that is to be watched. */
  get disk(): Disk {
    return this.#disk;
  }

  async open(): Promise<void> {
    const { clock, log } = this.#env;
    this.#scope.use(clock.every(this.#limits.lookMs, () => this.#lookAtDisk()));
    this.lastCrash = await readCrash(this.#disk, this.#facts.dataDir);
    this.#scope.use(this.#machine.onBug((error) => this.#onBug(error)));
    const recordFile = `${this.#facts.dataDir}/${crashFileName}`;
    const thread = { recordFile, version: this.#facts.version, inRow: this.#inRow("loop") };
    this.#scope.use(this.#machine.openLoopWatch(this.box, thread, this.#limits, { clock, log }));
    if (this.lastCrash !== undefined) this.#tell(this.lastCrash);
  }

  /** The record may have been erased with everything else since. */
  async readAgain(): Promise<void> {
    this.lastCrash = await readCrash(this.#disk, this.#facts.dataDir);
  }

  guard(guarded: Guarded): void {
    this.#guarded = guarded;
    this.#scope.use(this.#env.clock.every(this.#limits.uplinkLookMs, () => this.#lookAtLinks(guarded)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.disposeAsync();
  }

  #lookAtDisk(): void {
    const oldest = this.#disk.oldest;
    const ms = this.#diskStands.look(oldest?.id) * this.#limits.lookMs;
    const { log } = this.#env;
    if (oldest === undefined || ms < this.#limits.diskToldMs) {
      if (this.diskFault !== null) log.info("the disk answers again");
      this.diskFault = null;
      return;
    }
    const isNew = this.diskFault === null;
    this.diskFault = `${oldest.what} has had no answer for ${Math.round(ms / 1000)} s`;
    if (isNew) log.error("the disk hangs; look at the card and at the system's log (dmesg)", { found: this.diskFault });
    if (ms < this.#limits.diskMs || this.#isKilling) return;
    // Where a hub confirms, readings are safe without the disk: an end would take that away, too.
    if (this.#guarded?.remotes().some(({ link }) => link.state === "ready")) return;
    this.#isKilling = true;
    void this.#kill("disk", `the disk hangs: ${this.diskFault}, and no hub confirms anything either`);
  }

  #lookAtLinks(guarded: Guarded): void {
    const { uplinkLookMs, uplinkMs } = this.#limits;
    const earlier = this.lastCrash?.kind === "uplink" ? this.lastCrash.inRow : 0;
    for (const remote of guarded.remotes()) {
      const { name } = remote;
      const stands = this.#linksStand.get(name) ?? new Standstill<string>();
      this.#linksStand.set(name, stands);
      const mark = progressMark(remote);
      const ms = stands.look(mark) * uplinkLookMs;
      if (this.#hasWorked(remote, mark)) this.#forgive();
      if (ms < progressLimit(remote, guarded.waitMax(name), uplinkMs, earlier) || this.isEnding) continue;
      this.isEnding = true;
      const { depth, held } = remote.outbox;
      const what =
        remote.link.state === "ready" ? `${depth - held} messages wait and none leaves` : `it stays ${remote.link.state}`;
      void this.#stop(guarded, `the link of ${name} got nowhere for ${Math.round(ms / 60_000)} min: ${what}`);
    }
  }

  /** Since the last look, too: that a link is up, with something to do, is no proof. */
  #hasWorked({ name, link }: RemoteReport, mark: string | undefined): boolean {
    const wasReady = this.#wereReady.has(name);
    const before = this.#wereReady.get(name);
    if (link.state !== "ready") this.#wereReady.delete(name);
    else this.#wereReady.set(name, mark);
    return link.state === "ready" && (mark === undefined || (wasReady && mark !== before));
  }

  /** A link that works: what was before counts no more. */
  #forgive(): void {
    const crash = this.lastCrash;
    if (crash?.kind !== "uplink" || crash.inRow === 0) return;
    this.lastCrash = { ...crash, inRow: 0 };
    void this.#keep(this.lastCrash);
  }

  async #stop(guarded: Guarded, reason: string): Promise<void> {
    this.#env.log.error(`${reason}; the daemon is started anew`);
    this.#scope.use(this.#env.clock.after(this.#limits.closeMs, () => this.#machine.kill()));
    await this.#keepInTime(this.#record("uplink", reason));
    guarded.stop();
  }

  async #kill(kind: CrashKind, reason: string): Promise<void> {
    this.#env.log.error(`${reason}; the process ends and is started anew`);
    await this.#keepInTime(this.#record(kind, reason));
    this.#machine.kill();
  }

  #onBug(error: unknown): void {
    const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#machine.writeNow(this.#facts.dataDir, this.#record("bug", `a bug ended the daemon: ${words}`));
  }

  #record(kind: CrashKind, reason: string): CrashRecord {
    const { clock } = this.#env;
    return {
      kind,
      reason,
      at: timestamp(clock.wall()),
      version: this.#facts.version,
      uptimeSeconds: Math.round((clock.now() - this.#startedAt) / 1000),
      inRow: this.#inRow(kind),
      log: this.box.lines(),
    };
  }

  #inRow(kind: CrashKind): number {
    return this.lastCrash?.kind === kind ? this.lastCrash.inRow + 1 : 1;
  }

  /** The disk may be what hangs: it gets its time and no more. */
  async #keepInTime(record: CrashRecord): Promise<void> {
    const late = Promise.withResolvers<void>();
    using _late = this.#env.clock.after(this.#limits.recordMs, late.resolve);
    await Promise.race([this.#keep(record), late.promise]);
  }

  async #keep(record: CrashRecord): Promise<void> {
    try {
      await writeCrash(this.#env.disk, this.#facts.dataDir, record);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#env.log.warn("how this run ends cannot be kept", { error: explain(error) });
    }
  }

  #tell({ kind, reason, at, version, uptimeSeconds, log }: CrashRecord): void {
    const line = this.#env.log.part("watchdog");
    const words = reason.split("\n")[0]!;
    line.warn(`an earlier run did not end well: ${words}`, { kind, at, version, uptime_s: uptimeSeconds });
    for (const each of log.slice(-LINES_SAID)) line.info(`before that end: ${each}`);
  }
}
