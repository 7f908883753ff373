// A spoke, its devices and its hub in a world of their own: the power fails, links break, disks lie, clocks jump, hubs restart, and
// what was promised must hold. Everything follows from one number.
//
//   devices ──▶ spoke (src/spoke.ts, whole) ──▶ hub          each life ends by a power cut or a kill, now and then by SIGTERM;
//      ▲ PUBACK   │ fake disk, clock, nets, tty              in the last one everything works and everything must arrive
//      └──────────┘
//
//   const world = await SpokeWorld.open(7);
//   for (let i = 0; i < 20; i++) await world.live();
//   await world.settle();                                     // throws a Breach if a promise was broken

import { ensureDirectory } from "#base/disk.ts";
import { formatLine, type LogLine } from "#base/log.ts";
import type { S2Codec } from "#s2/codec.ts";
import { FakeClock, turn } from "../support/fake-clock.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { FakeTty } from "../support/fake-tty.ts";
import { Chaos } from "./spoke-chaos.ts";
import { type ClientDeps, SpokeMqttClient, SpokeNatsClient } from "./spoke-clients.ts";
import { Dice } from "./spoke-dice.ts";
import { SpokeHub, TRUE_WALL } from "./spoke-hub.ts";
import type { Liar } from "./spoke-liars.ts";
import { Life } from "./spoke-life.ts";
import { SpokeNet } from "./spoke-net.ts";
import {
  AGED_MS,
  AGED_PREFIX,
  DATA_DIR,
  FEATURES,
  type Features,
  MQTT_PORT,
  NATS_PORT,
  type Plan,
  planWorld,
  TTY_PATH,
} from "./spoke-settings.ts";
import { Breach, check, type Sent, Truth } from "./spoke-truth.ts";

/** A start, a clean end, or one step of draining that takes longer than this by the fake clock is a breach. */
const PATIENCE_MS = 300_000;
/** The journal writes down what is done with every 30 s; a slow disk takes a little longer. */
const CURSOR_MS = 31_000;
/** Where a fake clock begins to count. */
const FIRST_INSTANT = 1000;
const BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id";
/** Reasons by which the spoke may account for what it kept and lost. */
const ACCOUNTED = new Set(["displaced", "expired", "unreadable", "corrupted", "thinned", "refused", "too_large"]);

export interface WorldOptions {
  readonly codec: S2Codec;
  readonly features?: Features;
  /** Told what happens, line by line. */
  readonly trace?: (line: string) => void;
  /** Spoils each life's view of the disk, for the mutation check. */
  readonly liar?: Liar;
}

export class SpokeWorld {
  readonly seed: number;
  readonly plan: Plan;
  readonly clock = new FakeClock(TRUE_WALL + FIRST_INSTANT);
  readonly truth = new Truth(this.clock, (line) => this.trace(line));
  readonly disk: FakeDisk;
  readonly tty = new FakeTty();
  readonly meter: ReturnType<FakeTty["plug"]>;
  readonly wan: SpokeNet;
  readonly lan: SpokeNet;
  readonly clients: (SpokeMqttClient | SpokeNatsClient)[] = [];
  hub!: SpokeHub;
  life: Life | undefined;
  cuts = 0;
  starts = 0;
  /** What the spoke said it lost of what it had kept, over all lives. */
  accounted = 0;
  /** Lives that ended while the spoke said that it cannot write its losses down. */
  uncounted = 0;
  /** Lives that had a link; group commits of all lives. */
  linked = 0;
  commits = 0;
  /** The board was switched on at this instant of the world's clock; what the spoke sees counts from then. */
  bootedAt = 0;
  /** Bits were flipped on the disk, so some of what was safe is gone. */
  flipped = 0;
  /** In this life. */
  readonly #confirmed: { readonly lane: string; readonly epoch: number; readonly seq: number; readonly at: number }[] = [];
  readonly #options: WorldOptions;
  readonly #features: Features;
  readonly #dice: Dice;
  readonly #lifeDice: Dice;
  readonly #chaos: Chaos;

  static async open(seed: number, options: WorldOptions): Promise<SpokeWorld> {
    const world = new SpokeWorld(seed, options);
    world.hub = await SpokeHub.open(world.plan, world.clock, world.wan, world.truth);
    await ensureDirectory(world.disk, DATA_DIR);
    world.#boot();
    const { syncLatency } = world.plan.traits;
    if (syncLatency > 0) world.disk.beforeSync = () => world.#sleep(syncLatency);
    for (const client of world.clients) client.start();
    return world;
  }

  private constructor(seed: number, options: WorldOptions) {
    const dice = new Dice(seed);
    this.seed = seed;
    this.#options = options;
    this.#features = options.features ?? FEATURES;
    this.plan = planWorld(dice.fork(), this.#features);
    this.disk = new FakeDisk({ random: dice.fork().random });
    this.wan = new SpokeNet(this.clock, dice.fork(), this.plan.latency);
    this.lan = new SpokeNet(this.clock, dice.fork(), 0);
    this.#lifeDice = dice.fork();
    this.#chaos = new Chaos(this, dice.fork());
    this.#dice = dice.fork();
    this.meter = this.tty.plug({ path: TTY_PATH });
    if (this.plan.traits.hasThinning)
      this.truth.isUnwritten = ({ rule, sentAt }) =>
        this.uncounted > 0 && rule.prefix === AGED_PREFIX && this.clock.now() - sentAt > AGED_MS;
    this.disk.onStrike = (kind) => this.#onStrike(kind);
    for (let i = 0; i < this.plan.mqttClients; i++) this.clients.push(new SpokeMqttClient(this.#clientDeps(`m${i}`, MQTT_PORT)));
    for (let i = 0; i < this.plan.natsClients; i++) this.clients.push(new SpokeNatsClient(this.#clientDeps(`n${i}`, NATS_PORT)));
    this.trace(() => `plan: ${JSON.stringify({ ...this.plan, config: this.plan.config.outbox })}`);
  }

  get isDead(): boolean {
    return this.life === undefined || this.life.isOver;
  }

  trace(line: () => string): void {
    this.#options.trace?.(`${this.clock.now().toFixed(1).padStart(10)} life ${String(this.starts).padStart(2)}  ${line()}`);
  }

  // ── lives ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A life with about so many events, and its end. */
  async live(events = 8 + this.#dice.upTo(40)): Promise<void> {
    const dice = this.#dice;
    const ending = dice.weighted({ step: 45, call: 40, opening: 8, sigterm: 7 });
    const kind = dice.chance(0.6) ? "power" : "kill";
    this.trace(() => `── a life of ${events} events, to end by ${kind} (${ending})`);
    if (ending === "opening") this.disk.strikeAfter(1 + dice.upTo(60), kind);
    const isOpen = await this.#open();
    if (isOpen && ending === "call") this.disk.strikeAfter(1 + dice.upTo(30 + events * 4), kind);
    if (isOpen && ending !== "opening") for (let i = 0; i < events && !this.isDead; i++) await this.#chaos.step();
    if (ending === "sigterm" && !this.isDead) await this.#close(dice.chance(0.5) ? undefined : kind);
    this.disk.strikeAfter(undefined);
    if (!this.isDead) this.#strike(kind);
    await turn();
    this.#chaos.betweenLives();
  }

  /** The last life: everything works, everything arrives. */
  async settle(): Promise<void> {
    await this.#chaos.mendAll();
    this.trace(() => "── the last life");
    check(await this.#open(), () => "the last life did not start");
    await this.#drain();
    const report = this.life!.report()!;
    check(report.remotes[0]!.outbox.staged_bytes === 0, () => "drained, and there are bytes in the stage");
    await this.#close(undefined);
    for (const client of this.clients) client.close();
    await this.pass(5000);
    this.#judge();
    await this.hub.stop();
  }

  // ── for the chaos ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Time goes by, as far as the life lasts. */
  async pass(duration: number): Promise<void> {
    await this.clock.pass(duration);
  }

  // ── helpers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** False: it died meanwhile. */
  async #open(): Promise<boolean> {
    this.starts += 1;
    const { hub } = this;
    hub.wasUnheard = hub.leaf.isSilent || hub.jetStream.isApiSilent || this.wan.isBlackHole;
    const around = {
      config: this.plan.config,
      clock: this.clock,
      bootedAt: this.bootedAt,
      mount: () => this.#options.liar?.wrap(this.disk.mount()) ?? this.disk.mount(),
      tty: this.tty,
      wan: this.wan,
      lan: this.lan,
      dice: this.#lifeDice,
      codec: this.#options.codec,
      onLog: (line: LogLine) => this.#onLog(line),
    };
    this.truth.mayStoreTwice = false;
    const life = new Life(around);
    this.life = life;
    this.meter.fail(undefined); // whoever had the port before is no more
    let fault: unknown;
    let isDone = false;
    life.open().then(
      () => (isDone = true),
      (error: unknown) => {
        fault = error ?? new Error("unknown");
        isDone = true;
      },
    );
    await this.#until("it starts", () => isDone || life.isOver);
    if (life.isOver) return false;
    if (fault === undefined) return true;
    life.die();
    throw new Breach("it does not start", { cause: fault });
  }

  /**
   * What the hub has confirmed is not sent again once it has been written down: each CURSOR_MS, and at a clean end. Asked for now,
   * counts at the end of this life. Not where the disk refuses to write things down.
   */
  noteConfirmed(): void {
    const { hasFaultyDisk, hasFullDisk, hasReadOnlyDisk, hasRot } = this.plan.traits;
    if (this.isDead || hasFaultyDisk || hasFullDisk || hasReadOnlyDisk || hasRot) return;
    for (const lane of this.life?.report()?.remotes[0]?.outbox.lanes ?? []) {
      if (lane.depth === 0)
        this.#confirmed.push({
          lane: lane.class,
          epoch: this.truth.epochOf(lane.class),
          seq: lane.confirmed_seq,
          at: this.clock.now(),
        });
    }
  }

  #writeDown(before: number): void {
    for (const { lane, epoch, seq, at } of this.#confirmed) if (at <= before) this.truth.writeDown(lane, epoch, seq);
    this.#confirmed.length = 0;
  }

  /** SIGTERM. `kind`: it is cut short. */
  async #close(kind: "power" | "kill" | undefined): Promise<void> {
    const life = this.life!;
    this.#account(life);
    this.trace(() => `SIGTERM${kind === undefined ? "" : `, to be cut short by ${kind}`}`);
    if (kind !== undefined) this.disk.strikeAfter(1 + this.#dice.upTo(40), kind);
    let isClosed = false;
    let fault: unknown;
    life.close().then(
      () => (isClosed = true),
      (error: unknown) => {
        fault = error;
        isClosed = true;
      },
    );
    await this.#until("it closes", () => isClosed || life.isOver);
    this.disk.strikeAfter(undefined);
    if (life.isOver) return;
    if (fault !== undefined) throw new Breach("it did not close cleanly", { cause: fault });
    this.noteConfirmed();
    await this.pass(3000); // goodbyes of connections
    this.#writeDown(this.clock.now());
    check(life.timers === 0, () => `${life.timers} timers are set after the end`);
    check(this.lan.listening === 0, () => `${this.lan.listening} ports are open after the end`);
    life.die();
  }

  async #drain(): Promise<void> {
    let before = "";
    let idle = 0;
    for (;;) {
      const { outbox } = this.life!.report()!.remotes[0]!;
      const owed = this.clients.reduce((sum, client) => sum + client.owed, 0);
      if (outbox.depth === 0 && owed === 0) return;
      const now = JSON.stringify([outbox, owed, this.truth.acknowledged]);
      idle = now === before ? idle + 1 : 0;
      before = now;
      if (idle * 1000 > PATIENCE_MS)
        throw new Breach(
          `nothing moves: ${owed} messages are not acknowledged; ${JSON.stringify(this.life!.report()!.remotes[0])}`,
        );
      await this.pass(idle === 0 ? 50 : 1000);
    }
  }

  /** Where streams could not be asked, the spoke says that doubles may come over this link; before the next it asks again. */
  #onLog(line: LogLine): void {
    this.trace(() => `log: ${formatLine(line).slice(25)}`);
    const { result } = line.facts;
    if (line.part === "uplink" && line.message === "link ready") this.truth.mayStoreTwice = false;
    if (line.part === "outbox" && (result === "partial" || result === "impossible")) this.truth.mayStoreTwice = true;
  }

  #strike(kind: "power" | "kill"): void {
    if (kind === "power") this.disk.powerCut();
    else this.disk.killProcess();
  }

  /** The board is switched on: its kernel makes a new id, its monotonic clock begins anew, and its calendar perhaps as well. */
  #boot(): void {
    this.bootedAt = this.clock.now() - this.#dice.upTo(20_000);
    const id = this.#dice
      .bytes(16)
      .toString("hex")
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
    this.disk.plant(BOOT_ID_PATH, Buffer.from(`${id}\n`));
    if (this.plan.traits.hasNoBattery) this.clock.setWall(this.clock.now() - this.bootedAt);
  }

  #onStrike(kind: "power" | "kill"): void {
    if (kind === "power") this.#boot();
    const life = this.life;
    if (life === undefined || life.isOver) return;
    this.trace(() => "✂ the end of this life");
    this.#account(life);
    life.die();
    this.#writeDown(this.clock.now() - CURSOR_MS);
    this.cuts += 1;
  }

  /** What this life says it lost. */
  #account(life: Life): void {
    const remote = life.report()?.remotes[0];
    if (remote === undefined) return;
    const accounted = remote.outbox.losses.reduce(
      (sum, { reason, messages }) => (ACCOUNTED.has(reason) ? sum + messages : sum),
      0,
    );
    if (this.#features.ledger) this.accounted = accounted;
    else this.accounted += accounted;
    if (remote.outbox.ledger_fault !== null) this.uncounted += 1;
    this.commits += remote.outbox.commits;
    if (remote.link.connects > 0) this.linked += 1;
  }

  #judge(): void {
    const missing = this.truth.missing();
    this.trace(() => `${missing.length} missing, ${this.accounted} accounted for, ${this.flipped} bits flipped`);
    if (this.flipped === 0) this.#judgeLosses(missing);
    const { storedTwice } = this.truth;
    check(
      storedTwice.length === 0,
      () => `${storedTwice.length} messages stand in a stream twice: ${words(storedTwice.map(({ sent }) => sent))}`,
    );
    check(
      this.lan.open === 0 && this.wan.open === 0,
      () => `connections are open: ${this.lan.open} local, ${this.wan.open} to the hub`,
    );
  }

  /** Where no bit was flipped; rot in a last write cannot be told from a torn one, so it is not always counted. */
  #judgeLosses(missing: readonly Sent[]): void {
    const { hasFullDisk, hasTightLimits, hasThinning } = this.plan.traits;
    if (!(hasFullDisk || hasTightLimits || hasThinning)) {
      check(this.accounted === 0, () => `${this.accounted} losses were counted in a world in which nothing may be lost`);
    }
    const isCounted = this.uncounted === 0 && (!hasThinning || this.#features.promptLedger);
    check(
      !isCounted || missing.length <= this.accounted,
      () => `${missing.length} acknowledged messages never came, ${this.accounted} are accounted for: ${words(missing)}`,
    );
  }

  /** Time goes by until it is so. */
  async #until(what: string, isTrue: () => boolean): Promise<void> {
    const end = this.clock.now() + PATIENCE_MS;
    for (let turns = 0; ; turns++) {
      await turn();
      if (isTrue()) return;
      const { next } = this.clock;
      if (next === undefined || next > end || turns > 100_000) throw new Breach(`${what}: not within ${PATIENCE_MS} ms`);
      if (turns % 2 === 1) this.clock.advance(Math.max(0, next - this.clock.now()));
    }
  }

  #sleep(duration: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.clock.after(duration * this.#dice.random(), resolve);
    return promise;
  }

  #clientDeps(name: string, port: number): ClientDeps {
    return {
      name,
      clock: this.clock,
      truth: this.truth,
      connect: () => this.lan.connect(port),
      break: (stream) => this.lan.break(stream),
    };
  }
}

function words(sent: readonly Sent[]): string {
  return sent
    .slice(0, 5)
    .map(
      ({ number, subject, id, arrivals, stored }) =>
        `${number} on ${subject} (${id ?? "no id"}, arrived ${arrivals}, stored ${stored})`,
    )
    .join("; ");
}
