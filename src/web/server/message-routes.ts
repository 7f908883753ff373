// Messages: seen as they pass, sent by hand, and explained: which rule a subject falls under, and who listens.
//
// What is sent goes through the router by a door of its own, as any device's message does: same rules, same outbox, same counters. The
// system's own subjects are not for sending by hand.

import type { IncomingMessage } from "node:http";
import type { Millis } from "#base/clock.ts";
import { displaySubject, isReserved, isValidFilter, isValidSubject, toSubject } from "#core/subject.ts";
import type { AccountRouter } from "#router/router.ts";
import { jsonAnswer } from "./answer.ts";
import { WEB_BODY, WEB_BUSY, WEB_UNAVAILABLE, WebRefusal } from "./errors.ts";
import type { HubOutlook, HubResult, MessageDesk, SendOutcome } from "./live-desks.ts";
import { gone } from "./live-streams.ts";
import { MessageView } from "./message-view.ts";
import { asOwnMessage, SEND_BODY_BYTES_MAX } from "./own-message.ts";
import type { Parts } from "./parts.ts";
import { type Route, route } from "./route.ts";
import { SparingTrail } from "./sparing-trail.ts";
import { subjectFault } from "./subject-fault.ts";

const SENDS_MAX = 4;
/** A hub that has not confirmed by then may still do so. */
const CONFIRM_WITHIN_MS: Millis = 5_000;

export function messageRoutes(parts: Parts): readonly Route[] {
  const { env } = parts;
  const trail = new SparingTrail(parts.audit, env.clock);
  let sends = 0;
  const desk = (): MessageDesk => {
    if (parts.messages !== null) return parts.messages;
    throw new WebRefusal(503, WEB_UNAVAILABLE, "this daemon moves no messages");
  };
  /** A few at a time; whoever goes away no longer waits. */
  const inTurn = async <T>(request: IncomingMessage, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    if (sends >= SENDS_MAX) throw new WebRefusal(429, WEB_BUSY, "messages are being sent already; wait for them");
    const ending = new AbortController();
    const onGone = () => ending.abort(gone());
    request.socket.once("close", onGone);
    sends += 1;
    try {
      return await work(ending.signal);
    } finally {
      sends -= 1;
      request.socket.off("close", onGone);
    }
  };
  return [
    route({
      method: "GET",
      path: "/api/messages",
      least: "technician",
      async run({ query }) {
        const { accounts, topicOf } = desk();
        const filter = toSubject(query.get("subject") ?? ">");
        if (!isValidFilter(filter)) throw new WebRefusal(400, WEB_BODY, subjectFault(filter));
        const shown = query.has("account") ? [accountIn(accounts, query.get("account"))] : accounts.values();
        return {
          async live(stream) {
            using _view = new MessageView(shown, filter, stream, { clock: env.clock, topicOf });
            stream.tell("open", { subject: displaySubject(filter) });
            await stream.over;
          },
        };
      },
    }),
    route<unknown>({
      method: "POST",
      path: "/api/messages",
      least: "technician",
      bodyBytesMax: SEND_BODY_BYTES_MAX,
      async run({ session, address, body, request }) {
        const { accounts, send, topicOf, ruleOf, payloadBytesMax } = desk();
        const { message, account: name } = asOwnMessage(body, payloadBytesMax);
        const account = accountIn(accounts, name);
        const startedAt = env.clock.now();
        const { subject } = message;
        const shown = displaySubject(subject);
        const listeners = account.askers(subject).length;
        const hubs = await inTurn(request, async (signal) => {
          const detail = `${shown}, ${message.payload.length} bytes`;
          await trail.note({ action: "message sent", outcome: "done", user: session!.user, address, detail }); // it may move something
          return await send(account, message, CONFIRM_WITHIN_MS, signal);
        });
        return jsonAnswer(200, {
          subject: shown,
          topic: displaySubject(topicOf(subject)),
          account: account.name,
          rule: ruleOf(subject),
          sent: true,
          local_listeners: listeners,
          hub_listens: hubListens(hubs),
          outcome: worstOf(hubs),
          remotes: hubs,
          took_ms: Math.round(env.clock.now() - startedAt),
        });
      },
    }),
    route({
      method: "POST",
      path: "/api/test-message",
      least: "technician",
      async run({ session, address, request }) {
        const startedAt = env.clock.now();
        const result = await inTurn(request, async (signal) => {
          await trail.note({
            action: "test message sent",
            outcome: "done",
            user: session!.user,
            address,
            detail: "to every hub",
          });
          return await desk().test(CONFIRM_WITHIN_MS, signal);
        });
        return jsonAnswer(200, { ...result, took_ms: Math.round(env.clock.now() - startedAt) });
      },
    }),
    route({
      method: "GET",
      path: "/api/subjects/explain",
      least: "viewer",
      async run({ query }) {
        const { accounts, topicOf, ruleOf, outlook } = desk();
        const account = accountIn(accounts, query.get("account"));
        const subject = toSubject(query.get("subject") ?? "");
        const fault = isValidSubject(subject) ? null : subjectFault(subject);
        const head = { account: account.name, subject: displaySubject(subject) };
        if (fault !== null)
          return jsonAnswer(200, {
            ...head,
            valid: false,
            fault,
            topic: null,
            is_reserved: false,
            rule: null,
            hub_interest: null,
            local_subscriptions: 0,
            remotes: [],
          });
        const hubs = outlook(account, subject);
        return jsonAnswer(200, {
          ...head,
          valid: true,
          fault: null,
          topic: displaySubject(topicOf(subject)),
          is_reserved: isReserved(subject),
          rule: ruleOf(subject),
          hub_interest: hubListens(hubs),
          local_subscriptions: account.askers(subject).length,
          remotes: hubs,
        });
      },
    }),
  ];
}

/** The account of that name; the first where none is named. */
function accountIn(accounts: MessageDesk["accounts"], name: string | null): AccountRouter {
  const account = name === null ? accounts.values().next().value : accounts.get(name);
  if (account !== undefined) return account;
  const names = [...accounts.keys()].join(", ");
  throw new WebRefusal(400, WEB_BODY, `there is no such account; there are ${names}`);
}

/** null: there is no hub, or none was ever asked. */
function hubListens(hubs: readonly HubOutlook[]): boolean | null {
  if (hubs.some(({ listening }) => listening === "now")) return true;
  return hubs.length === 0 || hubs.every(({ listening }) => listening === "unknown") ? null : false;
}

/** The one that a person should look at first. */
function worstOf(hubs: readonly HubResult[]): SendOutcome | "local" {
  return WORST_FIRST.find((outcome) => hubs.some((hub) => hub.outcome === outcome)) ?? "local";
}

const WORST_FIRST: readonly SendOutcome[] = [
  "no_room",
  "too_large",
  "not_permitted",
  "no_interest",
  "link_down",
  "staged",
  "held",
  "stored",
  "awaited",
  "sent",
  "delivered",
];
