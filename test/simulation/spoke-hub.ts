// The hub of a world: a leaf port, streams, subscribers; all it gets goes into the book of truth.

import type { Clock } from "#base/clock.ts";
import type { FakeClock } from "../support/fake-clock.ts";
import { type Arrival, MemoryHub } from "../support/memory-hub.ts";
import { headerOf, MemoryStreams } from "../support/memory-hub-streams.ts";
import type { SpokeNet } from "./spoke-net.ts";
import { HUB_PORT, type Plan } from "./spoke-settings.ts";
import { check, type Sent, type Truth } from "./spoke-truth.ts";

/** The hub's calendar is right, whatever the spoke's says. */
export const TRUE_WALL = Date.UTC(2026, 9, 1);

export class SpokeHub {
  readonly leaf: MemoryHub;
  readonly jetStream: MemoryStreams;
  isUp = true;
  /** The spoke may have asked in vain what the streams take, in this life of its. */
  wasUnheard = false;

  static async open(plan: Plan, clock: FakeClock, net: SpokeNet, truth: Truth): Promise<SpokeHub> {
    const own: Clock = {
      now: () => clock.now(),
      wall: () => TRUE_WALL + clock.now(),
      after: (delay, action) => clock.after(delay, action),
      every: (period, action) => clock.every(period, action),
    };
    const jetStream: MemoryStreams = new MemoryStreams(own, plan.streams, (subject, message) => leaf.sends(subject, message));
    const leaf = await MemoryHub.listen(net, own, {
      port: HUB_PORT,
      interest: [...jetStream.interest, ...plan.interest],
      onMessage: (arrival) => hub.#onMessage(arrival),
    });
    const { hasJumps, hasNoBattery } = plan.traits;
    const hub = new SpokeHub(leaf, jetStream, truth, clock, !hasJumps && !hasNoBattery);
    return hub;
  }

  readonly #truth: Truth;

  readonly #clock: FakeClock;
  readonly #isCalendarRight: boolean;

  private constructor(leaf: MemoryHub, jetStream: MemoryStreams, truth: Truth, clock: FakeClock, isCalendarRight: boolean) {
    this.#clock = clock;
    this.#isCalendarRight = isCalendarRight;
    this.leaf = leaf;
    this.jetStream = jetStream;
    this.#truth = truth;
  }

  async stop(): Promise<void> {
    if (!this.isUp) return;
    this.isUp = false;
    await this.leaf.stop();
    this.jetStream.restart();
  }

  async start(): Promise<void> {
    if (this.isUp) return;
    this.isUp = true;
    await this.leaf.start();
  }

  /** Where nobody has touched the calendar, the time of capture is the truth. */
  #checkTime({ number, sentAt }: Sent, captured: number): void {
    if (!this.#isCalendarRight) return;
    const at = captured - TRUE_WALL;
    const now = this.#clock.now();
    check(
      at >= sentAt - 2 && at <= now + 2,
      () => `message ${number} of ${sentAt} says it was captured at ${at}, and now is ${now}`,
    );
  }

  #onMessage(arrival: Arrival): void {
    const { subject, headers, payload } = arrival;
    if (subject.startsWith("$")) {
      this.#truth.trace(() => `  asked ${subject} ${payload.toString()}`);
      this.jetStream.take(arrival);
      return;
    }
    const text = payload.toString("latin1");
    const sent = this.#truth.arrive(subject, headerOf(headers, "Nats-Msg-Id"), text);
    if (sent.rule.confirm === "auto" && sent.rule.hasStream && sent.isKept && arrival.reply === "") {
      check(this.wasUnheard, () => `message ${sent.number} came without asking for its stream's word`);
      sent.isUnproven = true;
    }
    const captured = headerOf(headers, "Petiole-Time");
    if (captured !== undefined) this.#checkTime(sent, Date.parse(captured));
    const before = this.jetStream.streams.map(({ messages }) => messages.length);
    this.jetStream.take(arrival);
    for (const [i, { messages, options }] of this.jetStream.streams.entries()) {
      if (messages.length > before[i]!) this.#truth.store(text, options.name);
    }
  }
}
