// What becomes of messages on one subject, worked out once and remembered until the rules' answer, the hub's interest or a stream changes.
//
//   subject ─▶ rule ─┬─ listening now ──┬─ confirm auto, and it is not known yet whether a stream takes it ─▶ wait
//                    │                  ├─ its stream does not store, or cannot tell us ─▶ park
//                    │                  └─▶ send
//                    ├─ listening before, or unknown, or no_interest hold ─▶ park
//                    └─ nobody listens ─▶ discard

import { type Batch, FLAG_DURABLE, flagsOf, REPLY, REPLY_END, SPAN_WORDS } from "#core/batch.ts";
import { copiedSubject, isPassing } from "#core/subject.ts";
import { addressOf } from "#wire/leaf-lines.ts";
import type { Fate } from "./fate.ts";
import type { Carrier, HubView, Listening } from "./hub-view.ts";
import type { Lane } from "./lane.ts";
import type { Rule, RuleBook } from "./rules.ts";
import type { Capture } from "./streams/captures.ts";
import type { UrgencyClass } from "./urgency.ts";

/** Plans of backlog subjects remembered. */
const PLANS_MAX = 8192;

export interface SubjectPlan {
  readonly rule: Rule | undefined;
  readonly subject: string;
  readonly isReserved: boolean;
  /** A copy for a hub that speaks MQTT, of a message that goes under its own subject as well. */
  readonly isCopy: boolean;
  readonly mayExport: boolean;
  readonly listening: Listening;
  readonly groups: readonly string[];
  readonly lane: Lane;
  /** `LMSG <subject> …` as it stands on the wire in front of the size, for a message with neither headers nor reply. */
  readonly line: string;
  /** What a kept message meets at the hub now. */
  readonly fate: Fate;
  /** What it would meet if its stream stored it; null: it is not for that reason that it waits. */
  readonly probe: Fate | null;
  /** The generation of parked subjects it was noted in last; the outbox's own note. */
  notedIn: number;
}

export interface PlansDeps {
  readonly rules: RuleBook;
  readonly hub: HubView;
  readonly servedGroups: (subject: string) => readonly string[];
  laneOf(urgency: UrgencyClass): Lane;
  carrier(): Carrier | undefined;
  /** Messages on it wait because its stream does not store. */
  isSuspended(subject: string): boolean;
  /** Does a stream at the hub store it? */
  captureOf(subject: string): Capture;
  /** A stream stores it, and its rule does not want to hear of that. */
  onUnproven(subject: string): void;
}

export class Plans {
  readonly #deps: PlansDeps;
  readonly #backlog = new Map<string, SubjectPlan>();

  constructor(deps: PlansDeps) {
    this.#deps = deps;
  }

  make(subject: string, servedGroups: readonly string[]): SubjectPlan {
    const { hub, laneOf } = this.#deps;
    const original = copiedSubject(subject);
    const isCopy = original !== "";
    const rule = this.#ruleFor(subject);
    const listening = hub.listening(subject, servedGroups);
    const groups = listening === "now" ? hub.groups(subject, servedGroups) : [];
    const fate = listening === "now" ? this.#fateOfWanted(subject, groups, rule) : fateOfUnwanted(listening, rule);
    const waits = fate.at === "send" && fate.confirm === "stored" ? this.#waitsFor(subject) : null;
    return {
      rule,
      subject,
      isReserved: isPassing(subject),
      isCopy,
      mayExport: hub.mayExport(subject) && (!isCopy || hub.mayExport(original)),
      listening,
      groups,
      lane: laneOf(rule?.class ?? "state"),
      line: `LMSG ${addressOf(subject, "", groups)}`,
      fate: waits === null ? fate : PARK,
      probe: waits === "stream" ? fate : null,
      notedIn: -1,
    };
  }

  /** The plan for a subject of the backlog, remembered here; the router remembers those of new messages. */
  forBacklog(subject: string): SubjectPlan {
    const known = this.#backlog.get(subject);
    if (known !== undefined) return known;
    if (this.#backlog.size >= PLANS_MAX) this.#backlog.clear();
    const plan = this.make(subject, this.#deps.servedGroups(subject));
    this.#backlog.set(subject, plan);
    return plan;
  }

  /** Is a message on it to be confirmed by a stream, or may it have to be? */
  wantsStream(subject: string): boolean {
    const rule = this.#ruleFor(subject);
    return rule?.confirm === "stored" || (rule?.confirm === "auto" && this.#deps.captureOf(subject) !== "free");
  }

  /** Without a subject: all. */
  forget(subject?: string): void {
    if (subject === undefined) this.#backlog.clear();
    else this.#backlog.delete(subject);
  }

  #ruleFor(subject: string): Rule | undefined {
    const original = copiedSubject(subject);
    return original === "" ? this.#deps.rules.match(subject) : ruleOfCopy(this.#deps.rules.match(original));
  }

  /** Somebody listens, a stream perhaps. */
  #fateOfWanted(subject: string, groups: readonly string[], rule: Rule | undefined): Fate {
    if (rule === undefined || rule.keep === "never" || isPassing(subject)) return sent(groups, "accepted", "strict");
    const { confirm, order } = rule;
    if (confirm === "stored") return sent(groups, confirm, order);
    const capture = this.#deps.captureOf(subject);
    if (confirm === "accepted") {
      if (capture === "stored") this.#deps.onUnproven(subject);
      return sent(groups, confirm, order);
    }
    return capture === "unknown" ? ASK : sent(groups, capture === "stored" ? "stored" : "accepted", order);
  }

  #waitsFor(subject: string): "inbox" | "stream" | null {
    if (this.#deps.carrier()?.inbox === null) return "inbox";
    return this.#deps.isSuspended(subject) ? "stream" : null;
  }
}

export const DISCARD: Fate = { at: "discard" };
export const WAIT: Fate = { at: "wait", for: "ledger" };
const ASK: Fate = { at: "wait", for: "streams" };
export const PARK: Fate = { at: "park" };

/** The hub's MQTT stores it or there is none: a stream answers, and without one nobody misses it. */
function ruleOfCopy(rule: Rule | undefined): Rule | undefined {
  return rule === undefined ? undefined : { ...rule, confirm: "stored", noInterest: "drop" };
}

function sent(groups: readonly string[], confirm: "accepted" | "stored", order: Rule["order"]): Fate {
  return { at: "send", groups, confirm, order };
}

/** DESIGN §4.2 `no_interest`: hold or drop, but never drop while somebody listened a moment ago. */
function fateOfUnwanted(listening: Listening, rule: Rule | undefined): Fate {
  return listening === "never" && rule?.noInterest !== "hold" ? DISCARD : PARK;
}

/** Does its rule, or its publisher, want it kept? */
export function isKept(plan: SubjectPlan, batch: Batch, index: number): boolean {
  const keep = plan.rule?.keep ?? "never";
  if (keep === "never" || plan.isReserved) return false;
  const at = index * SPAN_WORDS;
  if (batch.spans[at + REPLY] !== batch.spans[at + REPLY_END]) return false; // a request: nobody waits for an answer from last week
  return keep === "always" || (flagsOf(batch, index) & FLAG_DURABLE) !== 0;
}
