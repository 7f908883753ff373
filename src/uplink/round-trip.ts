// To the hub and back, tried for somebody who wants to know: what can be proved without anything of ours at the hub.
//
//   PING ──▶ hub ──▶ PONG                  the node we are linked to has read all that was written before, and its bytes reach us
//   $JS.API.INFO ──▶ hub ──▶ its answer    where there is JetStream: a message went there, and a message came back
//
// It changes nothing at the hub.

import { type Clock, type Millis, sleep } from "#base/clock.ts";
import type { Asked, HubRequests } from "#outbox/reconcile/reconcile.ts";

const LOOK_MS: Millis = 10;

export interface RoundTrip {
  /** PING to PONG; null: none came in time, or there is no link. */
  readonly pongMs: Millis | null;
  /** `unheard`: the hub has no JetStream for us, or does not let us ask it. */
  readonly answer: Asked;
  /** Request to answer; null: none. */
  readonly answerMs: Millis | null;
}

export interface RoundTripDeps {
  readonly clock: Clock;
  readonly inbox: HubRequests;
  /** What can be pinged; undefined: there is no link now. */
  carrier(): { ping(): void; readonly pingsWritten: number; readonly pingsAnswered: number } | undefined;
}

/** Ends with the signal's reason. */
export async function roundTrip(
  { clock, inbox, carrier }: RoundTripDeps,
  budget: Millis,
  signal: AbortSignal,
): Promise<RoundTrip> {
  const startedAt = clock.now();
  let answerMs: Millis | null = null;
  const asking = inbox.ask("$JS.API.INFO", "", budget, () => {
    answerMs = clock.now() - startedAt;
    return true;
  });
  const pongMs = await pingOnce(clock, carrier, budget, signal);
  const answer = await asking;
  signal.throwIfAborted();
  return { pongMs, answer, answerMs };
}

/** PONGs come in the order of their PINGs. */
async function pingOnce(
  clock: Clock,
  carrier: RoundTripDeps["carrier"],
  budget: Millis,
  signal: AbortSignal,
): Promise<Millis | null> {
  const pinged = carrier();
  if (pinged === undefined) return null;
  const startedAt = clock.now();
  pinged.ping();
  const own = pinged.pingsWritten;
  while (clock.now() - startedAt < budget) {
    await sleep(clock, LOOK_MS, signal);
    if (carrier() !== pinged) return null; // the link went away
    if (pinged.pingsAnswered >= own) return clock.now() - startedAt;
  }
  return null;
}
