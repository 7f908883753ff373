// One configured port: follows its life, opens and closes the device, and watches over it.
//
//   device ─▶ wire ─┬▶ intake: frames, readings           or, on a Modbus bus, its master
//              ▲    └▶ whoever looks at the raw bytes
//              └───── commands: bytes, lines, Modbus requests
//
// When the router says stop, the device is no longer read, and the system's own buffer (about 4 KiB) is the bound.

import type { Millis, WallMillis } from "#base/clock.ts";
import type { Env } from "#base/env.ts";
import { explain } from "#base/errors.ts";
import type { TtyInfo, TtyPort } from "#base/tty.ts";
import type { Batch } from "#core/batch.ts";
import type { Origin } from "#core/sink.ts";
import { displaySubject } from "#core/subject.ts";
import type { AccountRouter, Door } from "#router/router.ts";
import type { CommandExecutor } from "./command.ts";
import { Commands } from "./commands.ts";
import { SerialError } from "./errors.ts";
import { Intake } from "./intake.ts";
import { SignalExecutor } from "./line-signals.ts";
import { type Answer, type Cause, describeMatch, identityOf, type Wish } from "./match.ts";
import { ModbusMaster } from "./modbus/master.ts";
import type { SerialPortOptions } from "./options.ts";
import { PortGuard } from "./port-guard.ts";
import { NOT_LOOKED_YET, type PortEffect, type PortEvent, type PortLife, step } from "./port-life.ts";
import type { SerialPortStatus } from "./port-status.ts";
import type { TappedPort } from "./tap-socket.ts";
import { bitsPerCharacter, Wire } from "./wire.ts";
import { refusal, WriteBack } from "./write-back.ts";

/** What the kernel's line discipline holds while nobody reads. Source: Linux drivers/tty/n_tty.c, N_TTY_BUF_SIZE. */
const KERNEL_BUFFER_BYTES = 4096;

export type SerialEnv = Pick<Env, "clock" | "tty" | "log">;

export interface PortDeps {
  readonly account: AccountRouter;
  readonly env: SerialEnv;
  readonly isWallTrusted: () => boolean;
  readonly onChange: () => void;
  /** Does another port that is fine hang on the same USB device? Then its power is not ours to cut. */
  readonly isShared: (device: TtyInfo) => boolean;
}

export class Port {
  readonly name: string;
  readonly #options: SerialPortOptions;
  readonly #env: SerialEnv;
  readonly #deps: PortDeps;
  readonly #origin: Origin;
  readonly #door: Door;
  readonly #wire: Wire;
  readonly #intake: Intake;
  readonly #master: ModbusMaster | null;
  readonly #commands: Commands;
  readonly #guard: PortGuard;
  readonly #ended = Promise.withResolvers<void>();
  #life: PortLife = NOT_LOOKED_YET;
  #since: WallMillis;
  #tty: TtyPort | undefined;
  #lastFrameAt: Millis = Number.NEGATIVE_INFINITY;
  #pausedAt: Millis | undefined;
  #stopping: Promise<void> | undefined;

  /** Only remembers; `start` makes it listen. Throws `SERIAL_SUBJECT_INVALID`. */
  constructor(options: SerialPortOptions, deps: PortDeps) {
    const { account, env } = deps;
    this.name = options.name;
    this.#options = options;
    this.#env = env;
    this.#deps = deps;
    this.#since = env.clock.wall();
    const publish = (batch: Batch) => this.#door.publish(batch);
    const reopen = (cause: Cause) => this.#apply({ type: "reopen", cause });
    this.#guard = new PortGuard(options.name, options, { tty: env.tty, log: env.log, reopen });
    this.#wire = new Wire(options.name, options, env.clock);
    this.#intake = new Intake(options, env, publish, () => this.#onHeard());
    this.#master = options.modbus === null ? null : this.#makeMaster(options, options.modbus, publish);
    this.#origin = this.#makeOrigin();
    this.#door = account.open(this.#origin);
    this.#commands = new Commands(options, {
      account,
      clock: env.clock,
      log: env.log,
      publish,
      isOwn: (origin) => origin === this.#origin,
      isWallTrusted: deps.isWallTrusted,
      whyNot: () => this.#whyNot(),
    });
  }

  /** From here on it takes commands, and refuses them while its device is not there. */
  start(): void {
    const { writeSubject, signalSubject } = this.#options;
    if (writeSubject !== null) this.#commands.listen(this.#subject(writeSubject), this.#writer());
    if (signalSubject !== null)
      this.#commands.listen(this.#subject(signalSubject), new SignalExecutor(this.#wire, this.#env.clock));
    this.#master?.start();
  }

  get wish(): Wish {
    return { name: this.name, match: this.#options.match, held: "device" in this.#life ? this.#life.device.path : null };
  }

  /** What the scan found for this port. */
  see(answer: Answer): void {
    this.#apply("device" in answer ? { type: "found", device: answer.device } : { type: "missing", cause: answer.missing });
  }

  /** The scan itself failed: news only for a port without a device; an open one knows better. */
  seeNothing(cause: Cause): void {
    if (this.#life.at === "absent") this.#apply({ type: "missing", cause });
  }

  /** What an onlooker is told of it. */
  get tapped(): TappedPort {
    const { baudRate: baud_rate, dataBits: data_bits, parity, stopBits: stop_bits } = this.#options;
    const cause = "cause" in this.#life ? (this.#life.cause?.text ?? null) : null;
    return { port: this.name, path: this.device?.path ?? null, baud_rate, data_bits, parity, stop_bits, cause };
  }

  /** The device it has, while it has one. */
  get device(): TtyInfo | undefined {
    return "device" in this.#life ? this.#life.device : undefined;
  }

  /** Open and of use: nobody should take its device away. */
  get isFine(): boolean {
    return this.#life.at === "open" && this.#guard.isFine;
  }

  /** Calls `listener` with every chunk that the device sends, until disposed. */
  onChunk(listener: (chunk: Buffer) => void): Disposable {
    return this.#wire.onChunk(listener);
  }

  /** The watchdogs; called once a second. */
  tick(): void {
    this.#noteAnswers();
    if (this.#life.at !== "open" || this.#pausedAt !== undefined) return;
    const { device, openedAt } = this.#life;
    const look = {
      now: this.#env.clock.now(),
      opening: this.#intake.tally.opens,
      openedAt,
      lastFrameAt: this.#lastFrameAt,
      badFrames: this.#intake.tally.badFrames + this.#intake.faults.badFrames,
      canCycle: device.usbPort !== null && !this.#deps.isShared(device),
    };
    if (this.#guard.tick(device, look)) this.#deps.onChange();
  }

  /** Stops reading, publishes the whole frames that were received, closes the device. The second caller waits for the same end. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  status(): SerialPortStatus {
    const life = this.#life;
    const device = "device" in life ? life.device : null;
    const cause = "cause" in life ? life.cause : null;
    return {
      name: this.name,
      match: describeMatch(this.#options.match),
      path: device?.path ?? null,
      identity: device === null ? null : identityOf(device),
      state: life.at,
      code: cause?.code ?? null,
      cause: cause?.text ?? null,
      since: this.#since,
      isSilent: life.at === "open" && this.#guard.isSilent,
      degraded: life.at === "open" ? this.#guard.degraded : null,
      isPaused: this.#pausedAt !== undefined,
      ...this.#intake.tally,
      noiseBytes: this.#intake.faults.noiseBytes,
      checksumErrors: this.#intake.faults.checksumErrors,
      escapeErrors: this.#intake.faults.escapeErrors,
      reopens: this.#guard.reopens,
      powerCycles: this.#guard.powerCycles,
      commands: { waiting: this.#commands.waiting, ...this.#commands.tally },
      modbus: this.#master?.status() ?? null,
    };
  }

  async #stop(): Promise<void> {
    await Promise.all([this.#commands[Symbol.asyncDispose](), this.#master?.[Symbol.asyncDispose]()]);
    await this.#guard.stop();
    this.#apply({ type: "stop" });
    await this.#ended.promise;
  }

  #apply(event: PortEvent): void {
    const before = this.#life;
    const [after, ...effects] = step(before, event, this.#env.clock.now(), this.#options.reopen);
    if (after !== before) this.#moveTo(before, after);
    for (const effect of effects) this.#run(effect);
  }

  #moveTo(before: PortLife, after: PortLife): void {
    this.#life = after;
    this.#since = this.#env.clock.wall();
    if (after.at === "absent" && after.cause.code === "SERIAL_ABSENT") this.#guard.onAbsent();
    if (after.at !== "open" && after.at !== "closing") this.#intake.end(); // while closing, the last bytes still come in
    if (after.at !== "open" && before.at === "open") this.#wire.detach();
    this.#tell(before, after);
    if (after.at === "closed") {
      this.#door.close();
      this.#ended.resolve();
    }
    this.#deps.onChange();
  }

  #tell(before: PortLife, after: PortLife): void {
    const { log } = this.#env;
    if (after.at === "open") {
      log.info(`port ${this.name} is open`, { path: after.device.path, device: identityOf(after.device) });
    } else if (after.at === "waiting" && before.at === "opening" && before.attempt > 0) {
      log.debug(`port ${this.name}: ${after.cause.text}`, { attempt: after.attempt }); // said at the first attempt
    } else if (after.at === "absent" || after.at === "waiting") {
      log.warn(`port ${this.name}: ${after.cause.text}`);
    }
  }

  #run(effect: PortEffect): void {
    if (effect.do === "open") void this.#open(effect.device);
    else void this.#close();
  }

  async #open(device: TtyInfo): Promise<void> {
    const { baudRate, dataBits, parity, stopBits, rtscts } = this.#options;
    let tty: TtyPort;
    try {
      tty = await this.#env.tty.open(device.path, { baudRate, dataBits, parity, stopBits, rtscts });
    } catch (error) {
      this.#apply({ type: "open-failed", cause: causeOf(error) });
      return;
    }
    this.#tty = tty;
    this.#intake.begin();
    if (this.#pausedAt !== undefined && this.#master === null) tty.pause();
    tty.onClose((fault) => this.#onLost(tty, fault));
    tty.onData((chunk) => this.#onData(chunk));
    this.#apply({ type: "opened" });
    if (this.#life.at === "open" && this.#tty === tty) this.#wire.attach(tty);
  }

  async #close(): Promise<void> {
    try {
      await this.#tty?.[Symbol.asyncDispose]();
    } catch (error) {
      this.#env.log.warn(`port ${this.name}: closing the device failed`, { fault: explain(error) });
    }
    this.#tty = undefined;
    this.#apply({ type: "tty-closed" });
  }

  #onLost(tty: TtyPort, fault: Error | undefined): void {
    if (this.#tty !== tty || this.#life.at !== "open") return; // we are closing it ourselves
    this.#tty = undefined;
    const why = fault === undefined ? "" : ` (${explain(fault)})`;
    this.#apply({ type: "lost", cause: { code: "SERIAL_LOST", text: `${tty.path} went away${why}; plug it in again` } });
  }

  #onData(chunk: Buffer): void {
    this.#wire.hear(chunk);
    if (this.#master !== null) {
      this.#intake.tally.bytes += chunk.length;
      return;
    }
    const frames = this.#intake.tally.frames;
    this.#intake.feed(chunk);
    if (this.#intake.tally.frames !== frames) this.#onHeard();
  }

  /** On a bus, an answer of any unit is a sign of life. */
  #noteAnswers(): void {
    if (this.#master === null) return;
    const { tally } = this.#intake;
    const answers = this.#master.status().units.reduce((sum, unit) => sum + unit.answers, 0);
    if (answers === tally.frames) return;
    tally.frames = answers;
    tally.lastFrameAt = this.#env.clock.wall();
    this.#onHeard();
  }

  #onHeard(): void {
    this.#lastFrameAt = this.#env.clock.now();
    if (this.#guard.onHeard()) this.#deps.onChange();
  }

  #whyNot() {
    if (this.#wire.isOpen && this.#pausedAt !== undefined && this.#options.writeAnswer !== null && this.#master === null) {
      const words = `not carried out: port ${this.name} is not read while the outbox is full, so the answer would not be heard`;
      return refusal("SERIAL_QUEUE_FULL", words);
    }
    if (this.#wire.isOpen) return undefined;
    const why = "cause" in this.#life && this.#life.cause !== null ? this.#life.cause.text : "it is being opened";
    return refusal("SERIAL_ABSENT", `not carried out: port ${this.name} is not open: ${why}`);
  }

  #writer(): CommandExecutor {
    if (this.#master !== null) return this.#master;
    return new WriteBack(this.#options, {
      wire: this.#wire,
      clock: this.#env.clock,
      tapFrames: (listener) => this.#intake.tapFrames(listener),
      onStuck: () => this.#guard.onStuck(),
    });
  }

  #makeMaster(options: SerialPortOptions, bus: NonNullable<SerialPortOptions["modbus"]>, publish: (batch: Batch) => void) {
    const { clock, log } = this.#env;
    const count = (batch: Batch) => {
      this.#intake.tally.messages += batch.count;
      publish(batch);
    };
    const onStuck = () => this.#guard.onStuck();
    return new ModbusMaster(options, bus, { wire: this.#wire, clock, log, publish: count, onStuck });
  }

  #subject(template: string): string {
    return template.replaceAll("{name}", this.name);
  }

  #makeOrigin(): Origin {
    return {
      kind: "serial",
      label: `serial ${this.name}`,
      mayPublish: () => true, // the subject is the owner's own setting
      onDenied: (subject) => this.#env.log.warn(`port ${this.name} may not publish`, { subject: displaySubject(subject) }),
      onSafe: () => undefined, // nobody to acknowledge to
      pause: () => this.#pause(),
      resume: () => this.#resume(),
    };
  }

  /** The units of a bus speak when they are asked: there the asking stops, and commands still get their answers. */
  #pause(): void {
    if (this.#pausedAt !== undefined) return;
    this.#pausedAt = this.#env.clock.now();
    if (this.#master === null) this.#tty?.pause();
    else this.#master.pause();
    this.#deps.onChange();
  }

  #resume(): void {
    if (this.#pausedAt === undefined) return;
    const now = this.#env.clock.now();
    if (this.#life.at === "open" && this.#master === null)
      this.#countOverrun(now - Math.max(this.#pausedAt, this.#life.openedAt));
    this.#pausedAt = undefined;
    this.#lastFrameAt = now;
    this.#tty?.resume();
    this.#master?.resume();
    this.#deps.onChange();
  }

  /** We do not see what the system dropped; we know how long its buffer lasts at full rate. With rtscts the device was told to wait. */
  #countOverrun(pausedMs: Millis): void {
    const bytesMeanwhile = (pausedMs * this.#options.baudRate) / (bitsPerCharacter(this.#options) * 1000);
    if (this.#options.rtscts || bytesMeanwhile <= KERNEL_BUFFER_BYTES) return;
    this.#intake.tally.overruns += 1;
    this.#env.log.warn(`port ${this.name} was not read while the outbox was full; bytes may be lost`, {
      pausedMs: Math.round(pausedMs),
    });
  }
}

function causeOf(error: unknown): Cause {
  if (error instanceof SerialError) return { code: error.code, text: explain(error) };
  return { code: "SERIAL_OPEN_FAILED", text: explain(error) };
}
