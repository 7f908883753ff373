// The master of one Modbus RTU bus: asks every unit what the settings want, publishes what they answer, carries out commands.
//
//   poll table ─▶ bus ─▶ values ─▶ one batch an answer ─▶ publish
//   commands  ──▶ bus ─▶ outcome                              one question at a time; a command goes before the polls
//
// A unit that does not answer costs the others one timeout, then ever fewer (poll-table.ts). Units and polls are told apart by name in
// logs and status. The master works while the wire is open and waits while it is not.

import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Batch } from "#core/batch.ts";
import type { Command, CommandExecutor, Outcome } from "../command.ts";
import type { PortWire } from "../port-wire.ts";
import { Bus, type ExchangeResult } from "./bus.ts";
import { factsOf } from "./command-facts.ts";
import { describeException, exceptionName } from "./exceptions.ts";
import type { ModbusOptions, ModbusPollOptions } from "./options.ts";
import { type ModbusCommand, tryParseCommand } from "./parse-command.ts";
import type { ModbusRequest } from "./pdu.ts";
import { PollTable } from "./poll-table.ts";
import { PollValues } from "./poll-values.ts";

/** What the master must know of its port. */
export interface BusPort {
  readonly name: string;
  readonly baudRate: number;
  readonly dataBits: number;
  readonly parity: "none" | "even" | "odd";
  readonly stopBits: number;
}

export interface MasterDeps {
  readonly wire: PortWire;
  readonly clock: Clock;
  readonly log: Log;
  /** Takes a borrowed batch. */
  readonly publish: (batch: Batch) => void;
  /** The device takes no bytes. */
  readonly onStuck?: () => void;
}

export interface ModbusUnitStatus {
  readonly unit: number;
  readonly name: string;
  /** `unheard`: not asked yet. */
  readonly state: "unheard" | "answers" | "silent";
  readonly answers: number;
  readonly failures: number;
  readonly exceptions: number;
  readonly lastAnswerAt: WallMillis | null;
  /** The last thing that went wrong, in words. */
  readonly lastFault: string | null;
}

export interface ModbusStatus {
  readonly units: readonly ModbusUnitStatus[];
  /** Rounds left out because the bus could not keep up with the intervals. */
  readonly skipped: number;
  readonly strayBytes: number;
  readonly strayFrames: number;
  readonly hasEcho: boolean | null;
}

interface Poll {
  readonly unit: number;
  readonly interval: Millis;
  readonly request: ModbusRequest;
  readonly values: PollValues;
  readonly name: string;
}

class Unit {
  readonly unit: number;
  readonly name: string;
  state: ModbusUnitStatus["state"] = "unheard";
  answers = 0;
  failures = 0;
  exceptions = 0;
  lastAnswerAt: WallMillis | null = null;
  lastFault: string | null = null;
  /** It left the last question unanswered: what comes next may be the answer to that one. */
  isOwing = false;
  /** Said of each poll once, until it answers again. */
  readonly refused = new Set<string>();

  constructor(unit: number, name: string) {
    this.unit = unit;
    this.name = name;
  }
}

interface Waiting {
  readonly command: ModbusCommand;
  readonly deadline: Millis;
  readonly done: (outcome: Outcome) => void;
}

/** A bus that is busy or whose port is closing is looked at again after this. */
const OCCUPIED_PAUSE_MS: Millis = 1000;
const COMPLAINT_INTERVAL_MS: Millis = 60_000;
/** How a command ends of which nobody knows what became. */
const UNKNOWN = { silent: "did not answer", garbled: "answered garbage", lost: "had not answered when the port was closed" };

export class ModbusMaster implements CommandExecutor, AsyncDisposable {
  readonly #port: BusPort;
  readonly #options: ModbusOptions;
  readonly #deps: MasterDeps;
  readonly #bus: Bus;
  readonly #polls: readonly Poll[];
  readonly #units: ReadonlyMap<number, Unit>;
  readonly #ending = new AbortController();
  readonly #changes: Disposable;
  readonly #table: PollTable<Poll>;
  #waiting: Waiting[] = [];
  #wake: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #isWoken = false;
  #isPaused = false;
  #complainAfter: Millis = Number.NEGATIVE_INFINITY;

  /** Throws `SERIAL_SUBJECT_INVALID`. Does nothing before `start`. */
  constructor(port: BusPort, options: ModbusOptions, deps: MasterDeps) {
    this.#port = port;
    this.#options = options;
    this.#deps = deps;
    const bitsPerCharacter = 1 + port.dataBits + (port.parity === "none" ? 0 : 1) + port.stopBits;
    this.#bus = new Bus(deps.wire, { ...options, baudRate: port.baudRate, bitsPerCharacter }, deps.clock);
    this.#units = new Map(options.units.map(({ unit, name }) => [unit, new Unit(unit, name)]));
    this.#polls = options.polls.flatMap((poll) => this.#pollsOf(poll));
    this.#table = new PollTable(this.#polls, options, deps.clock.now());
    this.#changes = deps.wire.onChange(() => this.#rouse());
    this.#ending.signal.addEventListener("abort", () => this.#rouse(), { once: true });
  }

  start(): void {
    this.#running ??= this.#run(this.#ending.signal);
  }

  /** What was polled could not be handed on: nothing is asked for a while. Commands are carried out all the same. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#table.forgive(this.#deps.clock.now());
    this.#rouse();
  }

  /** Before all polls; after the commands that came earlier. */
  execute(command: Command): Promise<Outcome> {
    const parsed = tryParseCommand(command.payload, this.#options.units, this.#options.polls);
    if (typeof parsed === "string") {
      const message = `port ${this.#port.name}: the command ${parsed}`;
      return Promise.resolve({ ok: false, code: "SERIAL_MODBUS_COMMAND_INVALID", message, remedy: "never" });
    }
    if (!this.#deps.wire.isOpen || this.#ending.signal.aborted) return Promise.resolve(this.#notOpen());
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#waiting.push({ command: parsed, deadline: command.deadline, done: resolve });
    this.#rouse();
    return promise;
  }

  status(): ModbusStatus {
    const units = [...this.#units.values()].map(({ refused: _, isOwing: __, ...unit }): ModbusUnitStatus => unit);
    const { strayBytes, strayFrames, hasEcho } = this.#bus;
    return { units, skipped: this.#table.skipped, strayBytes, strayFrames, hasEcho: hasEcho ?? null };
  }

  /** Ends after the question under way; commands that wait are refused. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#running;
    this.#changes[Symbol.dispose]();
    this.#bus[Symbol.dispose]();
    this.#refuseWaiting();
  }

  #pollsOf(poll: ModbusPollOptions): readonly Poll[] {
    const { table, address, count, interval, name } = poll;
    const numbers = poll.units ?? this.#options.units.map(({ unit }) => unit);
    return numbers.map((unit) => ({
      unit,
      interval,
      name,
      request: { kind: "read", table, address, count },
      values: new PollValues(this.#options, poll, { port: this.#port.name, unit: this.#units.get(unit)!.name }),
    }));
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        signal.throwIfAborted();
        const pause = this.#deps.wire.isOpen ? await this.#turn(signal) : this.#stand();
        if (pause > 0) await this.#rest(pause);
      }
    } catch (error) {
      if (!signal.aborted) throw error; // a bug of ours
    }
  }

  /** One question. Returns how long there is nothing to do. */
  async #turn(signal: AbortSignal): Promise<Millis> {
    const now = this.#deps.clock.now();
    const waiting = this.#waiting[0];
    const late = waiting === undefined ? 0 : this.#table.debtOf(waiting.command.unit, now); // an answer to something else may still come
    if (waiting !== undefined && (late === 0 || now + late >= waiting.deadline)) {
      this.#waiting.shift();
      waiting.done(now + late >= waiting.deadline ? this.#tooLate(waiting) : await this.#carryOut(waiting.command, signal));
      return 0;
    }
    const next = this.#isPaused ? { at: Number.POSITIVE_INFINITY } : this.#table.next(now);
    if ("at" in next) return Math.min(next.at - now, waiting === undefined ? Number.POSITIVE_INFINITY : late);
    const { entry } = next;
    const result = await this.#bus.exchange(entry.unit, entry.request, signal);
    return this.#onPolled(entry, result, now);
  }

  #onPolled(poll: Poll, result: ExchangeResult, askedAt: Millis): Millis {
    const unit = this.#units.get(poll.unit)!;
    const now = this.#deps.clock.now();
    if (result.at === "closed" || result.at === "lost") return 0;
    if (result.at === "occupied") {
      this.#complain("the line is never silent; is there another master on this bus, or is the baud rate wrong?");
      return OCCUPIED_PAUSE_MS;
    }
    if (result.at === "blocked") {
      this.#complain("the device takes no bytes; check its flow control, or plug it in again");
      this.#deps.onStuck?.();
      return OCCUPIED_PAUSE_MS;
    }
    if (result.at === "answered") {
      this.#onHeard(unit);
      unit.refused.delete(poll.name);
      const fault = poll.values.publish(result.data, this.#deps.publish);
      if (fault !== undefined) unit.lastFault = `poll ${poll.name}: ${fault}`;
    } else if (result.at === "exception") {
      this.#onHeard(unit);
      this.#onException(unit, poll, result.code);
    } else {
      this.#onFailed(unit, poll, result.at, now);
      return 0;
    }
    const { skipped } = this.#table;
    // Was that the late answer to the first asking, the one to the second may come as late.
    const debt = unit.isOwing ? Math.max(0, askedAt + 2 * this.#options.timeout - now) : 0;
    unit.isOwing = false;
    if (this.#table.settle(poll, "alive", now, debt) === "rose") this.#tellRisen(unit);
    if (this.#table.skipped > skipped) this.#complain("the bus cannot keep up with its polls; raise intervals or the baud rate");
    return 0;
  }

  #onHeard(unit: Unit): void {
    unit.state = "answers";
    unit.answers += 1;
    unit.lastAnswerAt = this.#deps.clock.wall();
  }

  #onException(unit: Unit, poll: Poll, code: number): void {
    unit.exceptions += 1;
    unit.lastFault = `poll ${poll.name}: ${describeException(code)}`;
    if (unit.refused.has(poll.name)) return; // said when it began
    unit.refused.add(poll.name);
    this.#deps.log.warn(`port ${this.#port.name}: unit ${unit.unit} (${unit.name}), ${unit.lastFault}`);
  }

  #onFailed(unit: Unit, poll: Poll, how: "silent" | "garbled", now: Millis): void {
    unit.failures += 1;
    const words =
      how === "silent"
        ? "does not answer; check its power, its address, the two wires and the baud rate"
        : "answers garbage; check parity, baud rate, termination and shielding";
    unit.lastFault = `poll ${poll.name}: ${words}`;
    unit.isOwing = how === "silent";
    if (this.#table.settle(poll, "failed", now, this.#options.timeout) !== "fell") return;
    unit.state = "silent";
    this.#deps.log.warn(`port ${this.#port.name}: unit ${unit.unit} (${unit.name}) ${words}; it is asked less often now`);
  }

  #tellRisen(unit: Unit): void {
    this.#deps.log.info(`port ${this.#port.name}: unit ${unit.unit} (${unit.name}) answers again`);
  }

  #tooLate({ command }: Waiting): Outcome {
    const words = `port ${this.#port.name}, unit ${command.unit}`;
    const message = `${words}: the bus was busy until the command's time was over; it was not sent`;
    return { ok: false, code: "SERIAL_MODBUS_NO_ANSWER", message, remedy: "retry" };
  }

  async #carryOut(command: ModbusCommand, signal: AbortSignal): Promise<Outcome> {
    const { clock } = this.#deps;
    const { unit, request } = command;
    const words = `port ${this.#port.name}, unit ${unit}`;
    const result = await this.#bus.exchange(unit, request, signal).catch((error: unknown): ExchangeResult => {
      if (!signal.aborted) throw error; // a bug of ours
      return { at: "lost" };
    });
    const state = this.#units.get(unit);
    switch (result.at) {
      case "closed":
        return this.#notOpen();
      case "occupied":
        return { ok: false, code: "SERIAL_MODBUS_NO_ANSWER", message: `${words}: the line is never silent`, remedy: "backoff" };
      case "blocked": {
        const message = `${words}: the device takes no bytes; whether this ever reaches the unit is not known`;
        return { ok: false, code: "SERIAL_MODBUS_NO_ANSWER", message, remedy: "backoff" };
      }
      case "silent":
      case "garbled":
      case "lost": {
        if (result.at !== "lost") this.#table.note(unit, "failed", clock.now(), this.#options.timeout);
        if (result.at !== "lost" && state !== undefined) state.failures += 1;
        const message = `${words}: it ${UNKNOWN[result.at]}; whether it did what was asked is not known`;
        return { ok: false, code: "SERIAL_MODBUS_NO_ANSWER", message, remedy: "backoff" };
      }
      case "exception":
      case "answered":
        if (state !== undefined) {
          this.#onHeard(state);
          if (this.#table.note(unit, "alive", clock.now(), 0) === "rose") this.#tellRisen(state);
        }
        if (result.at === "answered") return { ok: true, facts: factsOf(command, result.data) };
        if (state !== undefined) state.exceptions += 1;
        return {
          ok: false,
          code: "SERIAL_MODBUS_EXCEPTION",
          message: `${words}: it ${describeException(result.code)}`,
          remedy: exceptionName(result.code).endsWith("busy") ? "backoff" : "never",
        };
    }
  }

  /** The port is not open: what waits is refused, and when it opens again everything is asked at once. */
  #stand(): Millis {
    this.#refuseWaiting();
    this.#table.reset(this.#deps.clock.now());
    for (const unit of this.#units.values()) {
      unit.state = "unheard";
      unit.isOwing = false;
    }
    return Number.POSITIVE_INFINITY;
  }

  #refuseWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { done } of waiting) done(this.#notOpen());
  }

  #notOpen(): Outcome {
    return {
      ok: false,
      code: "SERIAL_ABSENT",
      message: `port ${this.#port.name} is not open; nothing was sent`,
      remedy: "backoff",
    };
  }

  /** Until the time is over, or something new is there. */
  async #rest(pause: Millis): Promise<void> {
    if (!this.#isWoken) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      using _timer = Number.isFinite(pause) ? this.#deps.clock.after(pause, resolve) : undefined;
      await promise;
      this.#wake = undefined;
    }
    this.#isWoken = false;
  }

  #rouse(): void {
    this.#isWoken = true;
    this.#wake?.();
  }

  #complain(what: string): void {
    const now = this.#deps.clock.now();
    if (now < this.#complainAfter) return;
    this.#complainAfter = now + COMPLAINT_INTERVAL_MS;
    this.#deps.log.warn(`port ${this.#port.name}: ${what}`);
  }
}
