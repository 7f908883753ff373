// What the page may ask of messages, made of the accounts and the uplinks: what would become of one, and what became of it.
//
//   send ─ door "page" ─▶ router ─▶ outbox of each remote of the account ─▶ asked after until the hub has it, or time is up
//
// A door lives as long as its one message.

import { type Clock, type Millis, sleep } from "#base/clock.ts";
import type { Config } from "#config/config.ts";
import { flagsFor, QOS_UNSTATED, sizeOf } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Origin } from "#core/sink.ts";
import { displaySubject, isReserved } from "#core/subject.ts";
import { subjectToTopic } from "#ingress/mqtt/topic.ts";
import { isKept, type SubjectPlan } from "#outbox/plans.ts";
import { RuleBook } from "#outbox/rules.ts";
import type { AccountRouter } from "#router/router.ts";
import type { Uplink } from "#uplink/uplink.ts";
import type { HubOutlook, HubResult, MessageDesk, OwnMessage, RuleInForce, SendOutcome } from "#web/server/live-desks.ts";
import { testOne, testSubject } from "./test-message.ts";

/** How often we ask after a message. */
const LOOK_MS: Millis = 20;

export interface MessageDeskDeps {
  /** As it is whenever it is read. */
  readonly config: Pick<Config, "outbox" | "limits" | "serverName">;
  readonly accounts: ReadonlyMap<string, AccountRouter>;
  readonly uplinks: () => readonly Uplink[];
  readonly clock: Clock;
}

export function createMessageDesk({ config, accounts, uplinks, clock }: MessageDeskDeps): MessageDesk {
  const uplinksOf = (account: AccountRouter) => uplinks().filter((uplink) => uplink.account === account.name);
  const desk: MessageDesk = {
    accounts,
    get payloadBytesMax() {
      return config.limits.maxPayload;
    },
    topicOf: subjectToTopic,
    ruleOf: (subject) => (isReserved(subject) ? null : ruleInForce(new RuleBook(config.outbox), subject)),
    outlook(account, subject) {
      const served = servedGroups(account, subject);
      return uplinksOf(account).map((uplink) => outlookOf(uplink, uplink.outlook(subject, served).plan));
    },
    async send(account, message, budget, signal) {
      const sent = publish(account, uplinksOf(account), message);
      const end = clock.now() + budget;
      while (clock.now() < end && sent.some((each) => !isOver(each))) await sleep(clock, LOOK_MS, signal);
      return sent.map((each): HubResult => ({ ...outlookOf(each.uplink, each.plan), outcome: each.outcome() }));
    },
    async test(budget, signal) {
      const subject = testSubject(config.serverName);
      const trying = uplinks().map((uplink) =>
        testOne(uplink, subject, { desk, serverName: config.serverName, clock }, budget, signal),
      );
      return { subject: displaySubject(subject), remotes: await Promise.all(trying) };
    },
  };
  return desk;
}

function ruleInForce(rules: RuleBook, subject: string): RuleInForce | null {
  const rule = rules.match(subject);
  if (rule === undefined) return null;
  const { index, class: urgency, keep, confirm } = rule;
  return { index, class: urgency, keep, confirm };
}

function servedGroups(account: AccountRouter, subject: string): readonly string[] {
  return [...new Set(account.askers(subject).flatMap(({ queue }) => queue ?? []))];
}

function outlookOf({ name, link }: Uplink, { listening, mayExport }: SubjectPlan): HubOutlook {
  return { remote: name, is_linked: link.isReady, listening, may_pass: mayExport };
}

interface Sent {
  readonly uplink: Uplink;
  readonly plan: SubjectPlan;
  outcome(): SendOutcome;
}

function publish(account: AccountRouter, uplinks: readonly Uplink[], message: OwnMessage): readonly Sent[] {
  const { subject, headers, payload, reply } = message;
  const batch = new BatchBuilder();
  batch.beginOwn();
  batch.add({ subject, headers, payload, reply, flags: flagsFor(QOS_UNSTATED, message.isKept, false) });
  const served = servedGroups(account, subject);
  const before = uplinks.map((uplink) => {
    const { plan, payloadBytesMax } = uplink.outlook(subject, served);
    const isTooLarge = sizeOf(batch, 0) > payloadBytesMax;
    return { uplink, plan, isTooLarge, wantsRoom: isKept(plan, batch, 0), seq: plan.lane.status().lastSeq };
  });
  let isTurnedAway = false;
  const origin: Origin = {
    kind: "page",
    label: "page",
    mayPublish: () => true,
    onDenied: () => undefined,
    onNoRoom: () => {
      isTurnedAway = true;
    },
    onSafe: () => undefined,
    pause: () => undefined, // one message
    resume: () => undefined,
  };
  const door = account.open(origin);
  door.publish(batch);
  door.close();
  return before.map(({ uplink, plan, isTooLarge, wantsRoom, seq }) => {
    const { lane } = plan;
    const own = seq + 1; // nobody else's turn came in between
    if (lane.status().lastSeq >= own) return { uplink, plan, outcome: () => keptOutcome(plan, lane.whereabouts(own)) };
    const outcome = isTurnedAway && wantsRoom ? "no_room" : unkeptOutcome(uplink, plan, isTooLarge);
    return { uplink, plan, outcome: () => outcome };
  });
}

function keptOutcome({ fate, listening }: SubjectPlan, where: ReturnType<SubjectPlan["lane"]["whereabouts"]>): SendOutcome {
  switch (where) {
    case "settled":
      return "delivered";
    case "awaiting":
      return "awaited";
    case "kept":
      return fate.at === "park" && listening === "never" ? "held" : "stored";
    case "staged":
      return "staged";
  }
}

/** As the outbox's live path decides, which tells nobody but its counters. */
function unkeptOutcome({ link }: Uplink, { mayExport, listening, fate }: SubjectPlan, isTooLarge: boolean): SendOutcome {
  if (!mayExport) return "not_permitted";
  if (isTooLarge) return "too_large";
  if (fate.at === "discard" || (link.isReady && listening !== "now")) return "no_interest";
  return link.isReady ? "sent" : "link_down";
}

/** Nothing more is to be waited for: it is there, it will wait here, or it is gone. */
function isOver(sent: Sent): boolean {
  const outcome = sent.outcome();
  if (outcome === "stored") return !sent.uplink.link.isReady || sent.plan.listening !== "now";
  return outcome !== "staged" && outcome !== "awaited";
}
