// Messages that are not kept: to the link at once, or counted and gone. Only they can stop publishers for the link's sake.
//
//   room ──▶ link          no room ──▶ publishers pause, for a second ──▶ then dropped and counted until there is room

import type { Clock, Millis } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Batch } from "#core/batch.ts";
import { HEADERS, HEADERS_END, PAYLOAD, PAYLOAD_END, REPLY, REPLY_END, replyOf, SPAN_WORDS } from "#core/batch.ts";
import { addressOf } from "#wire/leaf-lines.ts";
import type { Carrier, HubView } from "./hub-view.ts";
import type { LossReason } from "./ledger/losses.ts";
import type { SubjectPlan } from "./plans.ts";

/** How long a link that takes no more may hold up publishers before what is not kept is dropped instead. */
const STALL_MS: Millis = 1000;

export interface LivePathHost {
  readonly hub: HubView;
  /** Of the link, for the log. */
  readonly label: string;
  /** Publishers need not wait any longer. */
  onRoom(): void;
}

export class LivePath implements Disposable {
  carrier: Carrier | undefined;
  sent = 0;
  readonly #host: LivePathHost;
  readonly #env: { readonly clock: Clock; readonly log: Log };
  #stall: Disposable | undefined;
  #isStalled = false;
  /** Something was written since the last flush. */
  #hasWritten = false;
  /** Something was written to a link that has no room: its publishers must slow down. */
  #hasOverrun = false;

  constructor(host: LivePathHost, env: { readonly clock: Clock; readonly log: Log }) {
    this.#host = host;
    this.#env = env;
  }

  get isFull(): boolean {
    return this.#hasOverrun && !this.#isStalled;
  }

  /** Writes it to the link, or says why it cannot go now. */
  send(batch: Batch, index: number, plan: SubjectPlan, totalBytes: number): LossReason | null {
    const obstacle = this.#obstacle(plan, totalBytes);
    if (obstacle !== null) return obstacle;
    this.#write(this.carrier!, batch, index, plan, totalBytes);
    this.#hasWritten = true;
    return null;
  }

  /** The batch is over. */
  flush(): void {
    if (this.#hasWritten && this.carrier?.isCongested === true) this.#onOverrun();
    this.#hasWritten = false;
  }

  /** There is room, or no link any more. */
  endStall(): void {
    this.#stall?.[Symbol.dispose]();
    this.#stall = undefined;
    this.#isStalled = false;
    this.#hasOverrun = false;
  }

  [Symbol.dispose](): void {
    this.endStall();
  }

  #onOverrun(): void {
    this.#hasOverrun = true;
    this.#stall ??= this.#env.clock.after(STALL_MS, () => {
      this.#isStalled = true;
      this.#env.log.warn("the link takes no more bytes: what is not kept is dropped until it does", { link: this.#host.label });
      this.#host.onRoom();
    });
  }

  #obstacle(plan: SubjectPlan, totalBytes: number): LossReason | null {
    const { hub } = this.#host;
    const { answers } = hub;
    if (this.carrier === undefined)
      return !plan.mayExport ? "not_permitted" : plan.listening === "never" ? "no_interest" : "link_down";
    if (!plan.mayExport && answers?.spend(plan.subject) !== true) return "not_permitted";
    if (plan.listening !== "now" && answers?.isAwaited(plan.subject) !== true) return "no_interest";
    if (this.#isStalled && this.carrier.isCongested) return "link_slow";
    return totalBytes > hub.payloadBytesMax ? "too_large" : null;
  }

  #write(carrier: Carrier, batch: Batch, index: number, plan: SubjectPlan, total: number): void {
    const { bytes, spans } = batch;
    const at = index * SPAN_WORDS;
    const headers = spans[at + HEADERS_END]! - spans[at + HEADERS]!;
    const { out } = carrier;
    const hasReply = spans[at + REPLY] !== spans[at + REPLY_END];
    if (headers === 0 && !hasReply) out.text(plan.line);
    else
      out.text(`${headers > 0 ? "HMSG" : "LMSG"} ${addressOf(plan.subject, hasReply ? replyOf(batch, index) : "", plan.groups)}`);
    if (headers > 0) {
      out.number(headers);
      out.byte(0x20);
    }
    out.number(total);
    out.crlf();
    if (headers > 0) out.copy(bytes, spans[at + HEADERS]!, spans[at + HEADERS_END]!);
    out.copy(bytes, spans[at + PAYLOAD]!, spans[at + PAYLOAD_END]!);
    out.crlf();
    this.sent += 1;
  }
}
