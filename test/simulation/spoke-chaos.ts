// What befalls a world: one event at a time, by the dice.

import { turn } from "../support/fake-clock.ts";
import type { Dice } from "./spoke-dice.ts";
import { TRUE_WALL } from "./spoke-hub.ts";
import type { SpokeWorld } from "./spoke-world.ts";

const ROOMY_BYTES = 64 * 1024 ** 3;
/** Fickle interest: its messages are held. */
const FICKLE = ["bulk.>", "state.>", "sensors.>"];

type Event =
  | "publish"
  | "meter"
  | "pass"
  | "jolt"
  | "wait"
  | "break"
  | "half-open"
  | "black-hole"
  | "latency"
  | "hub"
  | "silence"
  | "interest"
  | "stream"
  | "api"
  | "client"
  | "disk"
  | "full"
  | "read-only"
  | "calendar";

const WEIGHTS: Readonly<Record<Event, number>> = {
  publish: 36,
  meter: 3,
  pass: 18,
  jolt: 6,
  wait: 5,
  break: 5,
  "half-open": 1,
  "black-hole": 1.5,
  latency: 1,
  hub: 2.5,
  silence: 1.5,
  interest: 4,
  stream: 3,
  api: 1.5,
  client: 3,
  disk: 4,
  full: 1.5,
  "read-only": 1.5,
  calendar: 1.5,
};

/** How likely a step begins with a link on which nothing is wrong: trouble passes, or the spoke would live without a hub. */
const HEALING = 0.12;

export class Chaos {
  readonly #world: SpokeWorld;
  readonly #dice: Dice;
  readonly #latency: number;

  constructor(world: SpokeWorld, dice: Dice) {
    this.#world = world;
    this.#dice = dice;
    this.#latency = world.plan.latency;
  }

  async step(): Promise<void> {
    if (this.#dice.chance(HEALING)) await this.#mendLink();
    const event = this.#dice.weighted(WEIGHTS);
    await this.#happen(event);
    await this.#lookAway();
  }

  /** While it is down: rot at rest, and a hub that comes or goes. */
  betweenLives(): void {
    const world = this.#world;
    world.disk.faults.failDatasyncIn = undefined;
    world.disk.faults.failWriteIn = undefined;
    world.disk.faults.failSyncDirectoryIn = undefined;
    world.disk.faults.isUnreadable = undefined;
    world.disk.faults.isReadOnly = false;
    world.disk.totalBytes = ROOMY_BYTES;
    if (world.plan.traits.hasRot && this.#dice.chance(0.3)) this.#rot();
  }

  /** Everything works again. */
  async mendAll(): Promise<void> {
    const world = this.#world;
    this.betweenLives();
    world.hub.jetStream.isApiSilent = false;
    for (const stream of world.hub.jetStream.streams) stream.fault = null;
    await this.#mendLink();
    for (const filter of [...world.hub.jetStream.interest, ...world.plan.interest]) world.hub.leaf.want(filter);
  }

  async #mendLink(): Promise<void> {
    const world = this.#world;
    world.wan.isBlackHole = false;
    world.wan.latency = this.#latency;
    world.hub.leaf.isSilent = false;
    await world.hub.start();
  }

  async #happen(event: Event): Promise<void> {
    const world = this.#world;
    const { traits } = world.plan;
    const dice = this.#dice;
    switch (event) {
      case "publish":
        this.#publish();
        return;
      case "meter":
        this.#meter();
        return;
      case "pass":
        await world.pass(dice.upTo(60));
        return;
      case "jolt":
        world.clock.advance(dice.upTo(40));
        return;
      case "wait":
        world.noteConfirmed();
        await world.pass(500 + dice.upTo(dice.chance(0.1) ? 70_000 : 3000));
        return;
      case "break":
        world.trace(() => "the links break");
        world.wan.break();
        return;
      case "half-open": {
        const direction = dice.pick(["up", "down", "both"] as const);
        world.trace(() => `half open: ${direction}`);
        world.hub.wasUnheard = true;
        world.wan.halfOpen(direction);
        return;
      }
      case "black-hole":
        world.wan.isBlackHole = !world.wan.isBlackHole;
        world.trace(() => `black hole: ${world.wan.isBlackHole}`);
        if (world.wan.isBlackHole) world.wan.halfOpen("both");
        world.hub.wasUnheard = true;
        return;
      case "latency":
        world.wan.latency = dice.pick([0, 5, 50, 400]);
        return;
      case "hub":
        world.trace(() => `the hub ${world.hub.isUp ? "stops" : "starts"}`);
        await (world.hub.isUp ? world.hub.stop() : world.hub.start());
        return;
      case "silence":
        world.hub.leaf.isSilent = !world.hub.leaf.isSilent;
        world.hub.wasUnheard = true;
        world.trace(() => `the hub is silent: ${world.hub.leaf.isSilent}`);
        return;
      case "interest":
        this.#interest();
        return;
      case "stream":
        this.#stream();
        return;
      case "api":
        world.hub.jetStream.isApiSilent = !world.hub.jetStream.isApiSilent;
        world.hub.wasUnheard = true;
        return;
      case "client":
        world.trace(() => "a client's connection breaks");
        dice.pick(world.clients).breakOff();
        return;
      case "disk":
        if (traits.hasFaultyDisk) this.#disk();
        return;
      case "full":
        if (!traits.hasFullDisk) return;
        world.disk.totalBytes = world.disk.totalBytes === ROOMY_BYTES ? world.disk.usedBytes + dice.upTo(4000) : ROOMY_BYTES;
        world.trace(() => `the disk holds ${world.disk.totalBytes} bytes`);
        return;
      case "read-only":
        if (!traits.hasReadOnlyDisk) return;
        world.disk.faults.isReadOnly = !world.disk.faults.isReadOnly;
        world.trace(() => `the disk is read-only: ${world.disk.faults.isReadOnly}`);
        return;
      case "calendar":
        if (traits.hasNoBattery && dice.chance(0.7)) {
          world.clock.setWall(TRUE_WALL + world.clock.now());
          world.trace(() => "somebody tells the time");
        }
        if (!traits.hasJumps) return;
        world.clock.setWall(world.clock.wall() + dice.between(-5, 5) * 365 * 86_400_000);
        world.trace(() => `the calendar says ${new Date(world.clock.wall()).toISOString()}`);
    }
  }

  #publish(): void {
    const dice = this.#dice;
    const world = this.#world;
    const client = dice.pick(world.clients);
    const count = dice.chance(0.02) ? 150 : 1 + dice.upTo(12);
    const rule = dice.chance(0.3) ? undefined : dice.pick(world.plan.rules);
    for (let i = 0; i < count; i++) {
      const its = rule ?? dice.pick(world.plan.rules);
      if (its.prefix === "meter") continue; // the serial port's own
      const padBytes = dice.chance(0.01) ? 20_000 : dice.upTo(120);
      client.publish(`${its.prefix}.${client.name}.${dice.pick(["a", "b"])}`, its, dice.chance(0.75), padBytes);
    }
  }

  #meter(): void {
    const world = this.#world;
    if (!world.meter.isOpen || world.meter.isPaused) return;
    const rule = world.plan.rules.find(({ prefix }) => prefix === "meter")!;
    world.meter.send(`${world.truth.send("meter.meter", rule, true, this.#dice.upTo(60)).payload}\n`);
  }

  #interest(): void {
    const { hub, trace } = { hub: this.#world.hub.leaf, trace: (line: string) => this.#world.trace(() => line) };
    const filter = this.#dice.pick(FICKLE);
    const isWanted = hub.wants(filter);
    if (!isWanted && !this.#world.hub.jetStream.interest.includes(filter) && !this.#world.plan.interest.includes(filter)) return;
    trace(`the hub wants ${filter}: ${!isWanted}`);
    if (isWanted) hub.wantNoMore(filter);
    else hub.want(filter);
  }

  #stream(): void {
    const stream = this.#dice.pick(this.#world.hub.jetStream.streams);
    const faults = this.#world.plan.traits.hasLostAnswers
      ? (["no_space", "deaf", "overrun", "silent"] as const)
      : (["no_space", "deaf", "overrun"] as const);
    stream.fault = stream.fault === null ? this.#dice.pick(faults) : null;
    this.#world.trace(() => `stream ${stream.options.name}: ${stream.fault ?? "well"}`);
  }

  #disk(): void {
    const { faults } = this.#world.disk;
    const fault = this.#dice.weighted({ datasync: 1, write: 1, directory: 0.5, read: 1 });
    this.#world.trace(() => `the disk will fail: ${fault}`);
    if (fault === "datasync") faults.failDatasyncIn = 1 + this.#dice.upTo(2);
    else if (fault === "write") faults.failWriteIn = 1 + this.#dice.upTo(2);
    else if (fault === "directory") faults.failSyncDirectoryIn = 1 + this.#dice.upTo(2);
    else {
      faults.isUnreadable = () => {
        faults.isUnreadable = undefined;
        return true;
      };
    }
  }

  #rot(): void {
    const world = this.#world;
    const files = world.disk.files("/data/outbox").filter((path) => world.disk.peek(path).length > 0);
    if (files.length === 0) return;
    const path = this.#dice.pick(files);
    const position = this.#dice.upTo(world.disk.peek(path).length);
    world.disk.rot(path, position, 1 << this.#dice.upTo(8));
    world.flipped += 1;
    world.trace(() => `a bit flips in ${path} at ${position}`);
  }

  /** The next event comes when everything is done that can be, or in the middle of it. */
  async #lookAway(): Promise<void> {
    if (this.#dice.chance(0.5)) await turn();
    else for (let ticks = this.#dice.upTo(30); ticks > 0; ticks--) await undefined;
  }
}
