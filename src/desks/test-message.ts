// The test message of the page: to the hub and back, with nothing of ours at the hub, and an honest word on which half was proved.
//
//   there   somebody at the hub listens ─▶ a real message, kept and confirmed        nobody does ─▶ PING, PONG: the hub has read us
//   back    the hub has JetStream ──────▶ a request of ours, answered               it has none ─▶ PING, PONG: its bytes reach us
//
// Where nobody listens no message is sent: a rule that keeps always would hold it for years, and the ledger would count a loss.

import { type Clock, type Millis, timestamp } from "#base/clock.ts";
import { toSubject } from "#core/subject.ts";
import type { RoundTrip } from "#uplink/round-trip.ts";
import type { Uplink } from "#uplink/uplink.ts";
import type { MessageDesk, SendOutcome, TestResult } from "#web/server/live-desks.ts";

export interface TestContext {
  readonly desk: MessageDesk;
  readonly serverName: string;
  readonly clock: Clock;
}

/** Beside the device's own readings, so that a listener at the hub for all of petiole.test.> sees the whole fleet's. */
export function testSubject(serverName: string): string {
  return toSubject(`petiole.test.${serverName.replaceAll(/[\p{Cc}\s.*>/]/gu, "_")}`);
}

export async function testOne(
  uplink: Uplink,
  subject: string,
  { desk, serverName, clock }: TestContext,
  budget: Millis,
  signal: AbortSignal,
): Promise<TestResult> {
  const account = desk.accounts.get(uplink.account)!;
  const about = () => desk.outlook(account, subject).find(({ remote }) => remote === uplink.name)!;
  const { listening, may_pass } = about();
  const payload = Buffer.from(JSON.stringify({ test: true, server_name: serverName, at: timestamp(clock.wall()) }));
  const message = { subject, headers: Buffer.alloc(0), payload, isKept: true, reply: "" };
  const isSent = uplink.link.isReady && may_pass && listening === "now";
  const [trip, results] = await Promise.all([
    uplink.roundTrip(budget, signal),
    isSent ? desk.send(account, message, budget, signal) : undefined,
  ]);
  const { rttMs } = uplink.link.status();
  const outcome = results?.find(({ remote }) => remote === uplink.name)?.outcome ?? null;
  return {
    remote: uplink.name,
    is_linked: uplink.link.isReady,
    there: thereOf(outcome, may_pass, trip),
    back: backOf(trip),
    outcome,
    rtt_ms: trip.pongMs === null || rttMs === null ? null : Math.round(rttMs * 10) / 10,
  };
}

function thereOf(outcome: SendOutcome | null, mayPass: boolean, { pongMs }: RoundTrip): TestResult["there"] {
  if (outcome === "delivered")
    return { by: "message", text: "the message arrived: the hub has confirmed it, and passed it to those who listen" };
  if (outcome === "awaited")
    return { by: pongMs === null ? null : "pong", text: "the message was sent, but no stream has confirmed that it stored it" };
  if (pongMs === null) return { by: null, text: "nothing was proved: the hub did not answer in time, or there is no link" };
  if (!mayPass) return { by: "pong", text: "the hub reads us, but does not let us send on this subject, so no message was sent" };
  if (outcome === null)
    return { by: "pong", text: "the hub reads us, but nobody there listens to this subject, so no message was sent" };
  return { by: "pong", text: "the message was sent and the hub reads us, but it has not confirmed the message" };
}

function backOf({ answer, pongMs }: RoundTrip): TestResult["back"] {
  if (answer === "answered")
    return { by: "message", text: "an answer came back: the hub's JetStream has answered a request of ours" };
  if (pongMs === null) return { by: null, text: "nothing came back" };
  if (answer === "unheard")
    return {
      by: "pong",
      text: "the hub's bytes reach us; it has no JetStream that could send us a message, so only that is proved",
    };
  return { by: "pong", text: "the hub's bytes reach us, but its JetStream did not answer in time" };
}
