// One configured port: follows its life, opens and closes the device, and watches over it. What it hears goes to its intake.
//
// When the router says stop, the device is no longer read, and the system's own buffer (about 4 KiB) is the bound.

import type { Millis, WallMillis } from "#base/clock.ts";
import type { Env } from "#base/env.ts";
import { explain } from "#base/errors.ts";
import type { TtyInfo, TtyPort } from "#base/tty.ts";
import type { Origin } from "#core/sink.ts";
import { displaySubject } from "#core/subject.ts";
import type { AccountRouter, Door } from "#router/router.ts";
import { type SerialCode, SerialError } from "./errors.ts";
import { Intake } from "./intake.ts";
import { type Answer, type Cause, describeMatch, identityOf, type Wish } from "./match.ts";
import type { SerialPortOptions } from "./options.ts";
import { NOT_LOOKED_YET, type PortEffect, type PortEvent, type PortLife, step } from "./port-life.ts";

/** What the kernel's line discipline holds while nobody reads. Source: Linux drivers/tty/n_tty.c, N_TTY_BUF_SIZE. */
const KERNEL_BUFFER_BYTES = 4096;

/** What people and metrics are told of one port. */
export interface SerialPortStatus {
  readonly name: string;
  /** What the settings ask for, in words. */
  readonly match: string;
  readonly path: string | null;
  readonly identity: string | null;
  readonly state: PortLife["at"];
  /** Why it is not open: code and plain words; null while all is well. */
  readonly code: SerialCode | null;
  readonly cause: string | null;
  readonly since: WallMillis;
  readonly isSilent: boolean;
  /** Not read because something downstream is full. */
  readonly isPaused: boolean;
  readonly bytes: number;
  readonly frames: number;
  readonly messages: number;
  readonly decodeErrors: number;
  readonly oversized: number;
  readonly torn: number;
  readonly overruns: number;
  readonly opens: number;
  readonly lastFrameAt: WallMillis | null;
  readonly lastError: string | null;
  readonly lastBadFrame: string | null;
}

export type SerialEnv = Pick<Env, "clock" | "tty" | "log">;

export class Port {
  readonly name: string;
  readonly #options: SerialPortOptions;
  readonly #env: SerialEnv;
  readonly #onChange: () => void;
  readonly #door: Door;
  readonly #intake: Intake;
  readonly #ended = Promise.withResolvers<void>();
  #life: PortLife = NOT_LOOKED_YET;
  #since: WallMillis;
  #tty: TtyPort | undefined;
  #lastFrameAt: Millis = 0;
  #isSilent = false;
  #pausedAt: Millis | undefined;

  /** Throws `SERIAL_SUBJECT_INVALID`. */
  constructor(options: SerialPortOptions, account: AccountRouter, env: SerialEnv, onChange: () => void) {
    this.name = options.name;
    this.#options = options;
    this.#env = env;
    this.#onChange = onChange;
    this.#since = env.clock.wall();
    this.#intake = new Intake(options, env, (batch) => this.#door.publish(batch));
    this.#door = account.open(this.#origin());
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

  /** The silence watchdog; called once a second. */
  tick(): void {
    const { silenceAfter } = this.#options;
    if (this.#life.at !== "open" || this.#isSilent || this.#pausedAt !== undefined || silenceAfter === null) return;
    const silentMs = this.#env.clock.now() - this.#lastFrameAt;
    if (silentMs < silenceAfter) return;
    this.#isSilent = true;
    this.#env.log.warn(`port ${this.name} is open, but no frame comes; check the device's power, its wiring and the baud rate`, {
      path: this.#life.device.path,
      silentMs: Math.round(silentMs),
    });
    this.#onChange();
  }

  /** Stops reading, publishes the whole frames that were received, closes the device. The second caller waits for the same end. */
  async stop(): Promise<void> {
    this.#apply({ type: "stop" });
    await this.#ended.promise;
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
      isSilent: this.#isSilent,
      isPaused: this.#pausedAt !== undefined,
      ...this.#intake.tally,
    };
  }

  #apply(event: PortEvent): void {
    const before = this.#life;
    const [after, ...effects] = step(before, event, this.#env.clock.now());
    if (after !== before) this.#moveTo(before, after);
    for (const effect of effects) this.#run(effect);
  }

  #moveTo(before: PortLife, after: PortLife): void {
    this.#life = after;
    this.#since = this.#env.clock.wall();
    if (after.at !== "open") this.#isSilent = false;
    if (after.at !== "open" && after.at !== "closing") this.#intake.end(); // while closing, the last bytes still come in
    this.#tell(before, after);
    if (after.at === "closed") {
      this.#door.close();
      this.#ended.resolve();
    }
    this.#onChange();
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
    this.#lastFrameAt = this.#env.clock.now();
    this.#intake.begin();
    if (this.#pausedAt !== undefined) tty.pause();
    tty.onClose((fault) => this.#onLost(tty, fault));
    tty.onData((chunk) => this.#onData(chunk));
    this.#apply({ type: "opened" });
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
    const frames = this.#intake.tally.frames;
    this.#intake.feed(chunk);
    if (this.#intake.tally.frames === frames) return;
    this.#lastFrameAt = this.#env.clock.now();
    if (this.#isSilent) this.#endSilence();
  }

  #endSilence(): void {
    this.#isSilent = false;
    this.#env.log.info(`port ${this.name}: frames come again`);
    this.#onChange();
  }

  #origin(): Origin {
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

  #pause(): void {
    if (this.#pausedAt !== undefined) return;
    this.#pausedAt = this.#env.clock.now();
    this.#tty?.pause();
    this.#onChange();
  }

  #resume(): void {
    if (this.#pausedAt === undefined) return;
    const now = this.#env.clock.now();
    if (this.#life.at === "open") this.#countOverrun(now - Math.max(this.#pausedAt, this.#life.openedAt));
    this.#pausedAt = undefined;
    this.#lastFrameAt = now;
    this.#tty?.resume();
    this.#onChange();
  }

  /** We do not see what the system dropped; we know how long its buffer lasts at full rate. With rtscts the device was told to wait. */
  #countOverrun(pausedMs: Millis): void {
    const bitsPerByte = 10; // start, eight of data, stop
    const bytesMeanwhile = (pausedMs * this.#options.baudRate) / (bitsPerByte * 1000);
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
