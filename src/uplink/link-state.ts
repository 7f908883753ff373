// The life of one link as a value, and the pure function that moves it (DESIGN §4.6). Drawn in README.md.
//
//   waiting ─▶ dialing ─▶ securing ─▶ awaiting-info ─▶ joining ─▶ syncing ─▶ ready
//      ▲          │           │             │             │          │         │
//      └──────────┴───────────┴──── failed / closed / timeout ───────┴─────────┘        stopped
//
// With TLS first, securing comes before awaiting-info; with an upgrade it comes after it. Link.ts turns events into calls of
// `step` and carries out the effects.

import { type BackoffOptions, backoff } from "#base/backoff.ts";
import type { Millis } from "#base/clock.ts";

export type Link =
  | { readonly at: "waiting"; readonly attempt: number; readonly until: Millis }
  | { readonly at: "dialing"; readonly attempt: number; readonly deadline: Millis }
  | { readonly at: "securing"; readonly attempt: number; readonly deadline: Millis; readonly next: "awaiting-info" | "joining" }
  | { readonly at: "awaiting-info"; readonly attempt: number; readonly deadline: Millis; readonly isSecure: boolean }
  | { readonly at: "joining"; readonly attempt: number; readonly deadline: Millis }
  | { readonly at: "syncing"; readonly attempt: number; readonly deadline: Millis }
  | { readonly at: "ready"; readonly attempt: number; readonly since: Millis }
  | { readonly at: "stopped" };

export type LinkEvent =
  | { readonly type: "retry" }
  | { readonly type: "dialed" }
  | { readonly type: "secured" }
  /** The hub's first INFO. */
  | { readonly type: "info"; readonly tlsRequired: boolean }
  /** The INFO that answers CONNECT. */
  | { readonly type: "joined" }
  /** The PONG behind the hub's initial interest. */
  | { readonly type: "synced" }
  /** The attempt or the link is over. `wait`: a fixed delay asked for; `grows`: at least a second and growing. */
  | { readonly type: "ended"; readonly wait: Millis | null; readonly grows: boolean }
  | { readonly type: "stop" };

export type LinkEffect =
  | { readonly do: "dial" }
  | { readonly do: "secure" }
  | { readonly do: "send-connect" }
  | { readonly do: "send-interest" }
  | { readonly do: "announce-ready" }
  | { readonly do: "close" }
  | { readonly do: "schedule"; readonly at: Millis };

export interface LinkRules {
  /** `first`: TLS before any NATS byte. `required`: TLS after INFO whatever it says. `if-asked`: only if INFO requires it. */
  readonly tls: "first" | "required" | "if-asked";
  /** Hub URLs in the list: a round over all of them comes before the back-off grows. */
  readonly urls: number;
  readonly backoff: BackoffOptions;
  /** Deadlines per phase. */
  readonly dialTimeout: Millis;
  readonly phaseTimeout: Millis;
}

/** A link that stayed ready this long starts over with short delays when it ends. */
const SETTLED_MS: Millis = 10_000;
/** Delay before the next URL of the same round. */
const NEXT_URL_MS: Millis = 250;
/** Ceiling of delays after a rejection that a person must heal. */
const GROWING_MAX_MS: Millis = 30_000;

/** Pure: no socket, no timer, no clock but the `now` it is handed, `random` in [0, 1). Events that mean nothing here change nothing. */
export function step(
  link: Link,
  event: LinkEvent,
  rules: LinkRules,
  now: Millis,
  random: number,
): readonly [Link, ...LinkEffect[]] {
  if (event.type === "stop") return link.at === "stopped" ? [link] : [{ at: "stopped" }, { do: "close" }];
  if (event.type === "ended")
    return link.at === "stopped" || link.at === "waiting" ? [link] : retreat(link, event, rules, now, random);
  const attempt = link.at === "stopped" ? 0 : link.attempt;
  const deadline = now + rules.phaseTimeout;
  switch (link.at) {
    case "waiting":
      if (event.type !== "retry") return [link];
      return [{ at: "dialing", attempt, deadline: now + rules.dialTimeout }, { do: "dial" }];
    case "dialing":
      if (event.type !== "dialed") return [link];
      if (rules.tls === "first") return [{ at: "securing", attempt, deadline, next: "awaiting-info" }, { do: "secure" }];
      return [{ at: "awaiting-info", attempt, deadline, isSecure: false }];
    case "securing":
      if (event.type !== "secured") return [link];
      if (link.next === "awaiting-info") return [{ at: "awaiting-info", attempt, deadline, isSecure: true }];
      return [{ at: "joining", attempt, deadline }, { do: "send-connect" }];
    case "awaiting-info":
      if (event.type !== "info") return [link];
      // TLS or no connection: what the hub says may add TLS, never take it away.
      if (!link.isSecure && (rules.tls !== "if-asked" || event.tlsRequired))
        return [{ at: "securing", attempt, deadline, next: "joining" }, { do: "secure" }];
      return [{ at: "joining", attempt, deadline }, { do: "send-connect" }];
    case "joining":
      if (event.type !== "joined") return [link];
      return [{ at: "syncing", attempt, deadline }, { do: "send-interest" }];
    case "syncing":
      if (event.type !== "synced") return [link];
      return [{ at: "ready", attempt, since: now }, { do: "announce-ready" }];
    case "ready":
    case "stopped":
      return [link];
  }
}

function retreat(
  link: Exclude<Link, { at: "stopped" | "waiting" }>,
  event: { readonly wait: Millis | null; readonly grows: boolean },
  rules: LinkRules,
  now: Millis,
  random: number,
): readonly [Link, ...LinkEffect[]] {
  const wasSettled = link.at === "ready" && now - link.since >= SETTLED_MS;
  const attempt = wasSettled ? 0 : link.attempt + 1;
  const until = now + delayBefore(attempt, event, rules, random);
  return [{ at: "waiting", attempt, until }, { do: "close" }, { do: "schedule", at: until }];
}

/** How long to wait before attempt `attempt` (0 = right after a settled link ended). */
export function delayBefore(
  attempt: number,
  event: { readonly wait: Millis | null; readonly grows: boolean },
  rules: Pick<LinkRules, "urls" | "backoff">,
  random: number,
): Millis {
  if (event.wait !== null) return event.wait + backoff(rules.backoff, 0, random);
  if (event.grows) return backoff({ min: 1000, max: GROWING_MAX_MS, jitter: 0.5 }, attempt, random);
  const round = Math.floor(attempt / rules.urls);
  return attempt % rules.urls === 0 ? backoff(rules.backoff, round, random) : NEXT_URL_MS * random;
}
