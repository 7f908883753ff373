// Commands for one port: taken off its subjects, kept in order, carried out one at a time, answered each.
//
//   message ─▶ deadline? ─▶ port open? ─▶ queue has room? ─▶ its turn ─▶ deadline? ─▶ executor ─▶ reply
//                 │no           │no             │no                          │no          │fault
//                 └─────────────┴───────────────┴────────────── refused ─────┴────────────┴──▶ reply
//
// A late command is never carried out: a valve that opens ten minutes after somebody asked for it is worse than one that does not.
// For the same reason nothing is held for a device that is not there: whoever asked is told at once, and decides anew.
// What comes without a reply subject is carried out all the same; what becomes of it is counted and, if it failed, logged.

import type { Clock, Millis } from "#base/clock.ts";
import { explain } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { type Batch, flagsFor, headersOf, payloadOf, QOS_UNSTATED, replyOf } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Origin, Sink, Subscription } from "#core/sink.ts";
import { displaySubject, isValidSubject } from "#core/subject.ts";
import type { AccountRouter } from "#router/router.ts";
import type { CommandExecutor, Outcome } from "./command.ts";
import { deadlineOf } from "./command-deadline.ts";
import { refusal } from "./write-back.ts";

type Refusal = Outcome & { readonly ok: false };

const NOTHING = Buffer.alloc(0);
/** A command's message; hex is three times as long as what is written (write-back.ts has the limit of that). */
const PAYLOAD_BYTES_MAX = 256 * 1024;
const REPLY_FLAGS = flagsFor(QOS_UNSTATED, false, false);
/** A consumer's own reply subject: it wants an acknowledgement, not words. Source: NATS ADR-15, "JetStream acknowledgements". */
const STREAM_ACK = "$JS.ACK.";
/** At most one line of log about refused commands per port in this time; all are counted. */
const COMPLAINT_INTERVAL_MS: Millis = 60_000;

export interface CommandOptions {
  /** The port's. */
  readonly name: string;
  readonly writeDeadline: Millis;
  /** Commands that wait, the one under way not counted. */
  readonly writeQueue: number;
}

export interface CommandDeps {
  readonly account: AccountRouter;
  readonly clock: Clock;
  readonly log: Log;
  /** Publishes the replies. */
  readonly publish: (batch: Batch) => void;
  /** The port itself: what it says is no command to it. */
  readonly isOwn: (origin: Origin) => boolean;
  readonly isWallTrusted: () => boolean;
  /** Why no command can be carried out now; undefined: it can. */
  readonly whyNot: () => Refusal | undefined;
}

/** Plain fields, for status. */
export class CommandTally {
  /** Carried out, with success. */
  done = 0;
  /** Refused before anything was done: late, absent, queue full, invalid. */
  refused = 0;
  /** Of those, the late ones. */
  late = 0;
  /** Begun, and not done or not answered. */
  failed = 0;
  lastFault: string | null = null;
}

interface CommandSubscription extends Subscription {
  readonly executor: CommandExecutor;
}

interface Waiting {
  readonly executor: CommandExecutor;
  readonly payload: Buffer;
  /** "": nobody wants to know. */
  readonly reply: string;
  readonly deadline: Millis;
  readonly cameAt: Millis;
}

export class Commands implements Sink, AsyncDisposable {
  readonly tally = new CommandTally();
  readonly #options: CommandOptions;
  readonly #deps: CommandDeps;
  readonly #subscriptions: CommandSubscription[] = [];
  readonly #queue: Waiting[] = [];
  /** Replies that leave when the router's call is over: it must not be called from inside itself. */
  readonly #refused: (readonly [Waiting, Refusal])[] = [];
  readonly #builder = new BatchBuilder();
  readonly #abort = new AbortController();
  #serving: Promise<void> | undefined;
  #refusing: Promise<void> | undefined;
  #complainAfter: Millis = Number.NEGATIVE_INFINITY;

  constructor(options: CommandOptions, deps: CommandDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Commands on this literal subject go to the executor. Announced to the hub as any interest is. */
  listen(subject: string, executor: CommandExecutor): void {
    const subscription: CommandSubscription = { filter: subject, queue: null, sink: this, mayReceive: () => true, executor };
    this.#subscriptions.push(subscription);
    this.#deps.account.subscribe(subscription);
  }

  /** Commands that wait for their turn. */
  get waiting(): number {
    return this.#queue.length;
  }

  deliver(batch: Batch, index: number, subscriptions: readonly Subscription[], origin: Origin): void {
    if (this.#deps.isOwn(origin)) return;
    const { executor } = subscriptions[0] as CommandSubscription;
    const { clock } = this.#deps;
    const now = clock.now();
    const deadline = deadlineOf(headersOf(batch, index), {
      now,
      wall: clock.wall(),
      isWallTrusted: this.#deps.isWallTrusted(),
      fallback: this.#options.writeDeadline,
    });
    const payload = payloadOf(batch, index);
    const command = { executor, reply: replyOf(batch, index), deadline: "at" in deadline ? deadline.at : now, cameAt: now };
    const fault =
      "fault" in deadline
        ? refusal(deadline.fault, `refused: ${deadline.text}`)
        : (this.#objection(command.deadline) ?? this.#excess(payload.length));
    if (fault === undefined) this.#queue.push({ ...command, payload: Buffer.from(payload) });
    else this.#refused.push([{ ...command, payload: NOTHING }, fault]);
  }

  flush(): void {
    if (this.#refused.length > 0) this.#refusing ??= this.#refuseAll();
    if (this.#queue.length > 0) this.#serving ??= this.#serve();
  }

  /** Takes no more, answers what waits that it was not done, and waits for the one under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const subscription of this.#subscriptions.splice(0)) this.#deps.account.unsubscribe(subscription);
    this.#abort.abort();
    await Promise.all([this.#serving, this.#refusing]);
  }

  /** At once, however long the command under way takes. */
  async #refuseAll(): Promise<void> {
    await Promise.resolve(); // out of the router's call
    for (let next = this.#refused.shift(); next !== undefined; next = this.#refused.shift()) this.#refuse(...next);
    this.#refusing = undefined;
  }

  async #serve(): Promise<void> {
    await Promise.resolve(); // out of the router's call
    for (let command = this.#queue.shift(); command !== undefined; command = this.#queue.shift()) {
      const objection = this.#objection(command.deadline);
      if (objection === undefined) await this.#carryOut(command);
      else this.#refuse(command, objection);
    }
    this.#serving = undefined;
  }

  /** Why a command of this size cannot wait here. */
  #excess(bytes: number): Refusal | undefined {
    if (bytes > PAYLOAD_BYTES_MAX) {
      const words = `refused: the command has ${bytes} bytes, the limit is ${PAYLOAD_BYTES_MAX}; cut it into several`;
      return refusal("SERIAL_COMMAND_INVALID", words);
    }
    if (this.#queue.length >= this.#options.writeQueue) this.#sweep();
    if (this.#queue.length < this.#options.writeQueue) return undefined;
    const words = `refused: ${this.#queue.length} commands wait for port ${this.#options.name} already; send fewer, or raise write_queue`;
    return refusal("SERIAL_QUEUE_FULL", words);
  }

  /** Those whose time is over make room. */
  #sweep(): void {
    for (let i = this.#queue.length - 1; i >= 0; i--) {
      const fault = this.#clockOut(this.#queue[i]!.deadline);
      if (fault !== undefined) this.#refused.push([this.#queue.splice(i, 1)[0]!, fault]);
    }
  }

  #clockOut(deadline: Millis): Refusal | undefined {
    const lateMs = this.#deps.clock.now() - deadline;
    if (lateMs < 0) return undefined;
    const words = `not carried out: its turn came ${Math.round(lateMs)} ms after its deadline; send it again`;
    return refusal("SERIAL_LATE", words);
  }

  /** Why a command with this deadline must not be begun now. */
  #objection(deadline: Millis): Refusal | undefined {
    const late = this.#clockOut(deadline);
    if (late !== undefined) return late;
    if (this.#abort.signal.aborted)
      return refusal("SERIAL_ABSENT", `not carried out: port ${this.#options.name} is being closed; send it again later`);
    return this.#deps.whyNot();
  }

  async #carryOut(command: Waiting): Promise<void> {
    const beganAt = this.#deps.clock.now();
    let outcome: Outcome;
    try {
      const { payload, deadline } = command;
      outcome = await command.executor.execute({ payload, deadline, signal: this.#abort.signal });
    } catch (error) {
      outcome = refusal("SERIAL_WRITE_FAILED", explain(error));
    }
    if (outcome.ok) {
      this.tally.done += 1;
      this.#answer(command, outcome, beganAt);
      return;
    }
    if (outcome.code.endsWith("COMMAND_INVALID") || outcome.code === "SERIAL_ABSENT") this.#refuse(command, outcome);
    else {
      this.tally.failed += 1;
      this.#note(outcome.message);
      this.#answer(command, outcome, beganAt);
    }
  }

  #refuse(command: Waiting, outcome: Refusal): void {
    this.tally.refused += 1;
    if (outcome.code === "SERIAL_LATE") this.tally.late += 1;
    this.#note(outcome.message);
    this.#answer(command, outcome, this.#deps.clock.now());
  }

  #note(message: string): void {
    this.tally.lastFault = message;
    const now = this.#deps.clock.now();
    if (now < this.#complainAfter) return;
    this.#complainAfter = now + COMPLAINT_INTERVAL_MS;
    const { refused, failed } = this.tally;
    this.#deps.log.warn(`port ${this.#options.name}: a command failed: ${message}`, { refused, failed });
  }

  #answer({ reply, cameAt }: Waiting, outcome: Outcome, beganAt: Millis): void {
    if (reply === "") return;
    if (!isValidSubject(reply)) {
      this.#deps.log.debug(`port ${this.#options.name}: a command has no usable reply subject`, { reply: displaySubject(reply) });
      return;
    }
    this.#builder.beginOwn();
    if (reply.startsWith(STREAM_ACK)) {
      // +TERM: a command is not repeated behind the back of whoever sent it.
      this.#builder.add({ subject: reply, payload: Buffer.from(outcome.ok ? "+ACK" : "+TERM"), flags: REPLY_FLAGS });
    } else {
      const payload = outcome.ok && outcome.frame !== undefined ? outcome.frame : this.#words(outcome, cameAt, beganAt);
      const headers = Buffer.from(`NATS/1.0\r\nPetiole-Outcome: ${outcome.ok ? "ok" : outcome.code}\r\n\r\n`, "latin1");
      this.#builder.add({ subject: reply, headers, payload, flags: REPLY_FLAGS });
    }
    this.#deps.publish(this.#builder);
  }

  #words(outcome: Outcome, cameAt: Millis, beganAt: Millis): Buffer {
    const port = this.#options.name;
    if (!outcome.ok) {
      const { code, message, remedy } = outcome;
      return Buffer.from(JSON.stringify({ ok: false, port, error: code, message, remedy }));
    }
    const times = { waited_ms: Math.round(beganAt - cameAt), took_ms: Math.round(this.#deps.clock.now() - beganAt) };
    return Buffer.from(JSON.stringify({ ok: true, port, ...outcome.facts, ...times }));
  }
}
