// The life of one link as a value, and the pure function that moves it (DESIGN §4.6). Drawn in README.md.
//
//   waiting ─▶ dialing ─▶ [securing ─▶] [upgrading ─▶] awaiting-info ─▶ [securing ─▶] [agreeing ─▶] joining ─▶ syncing ─▶ ready
//      ▲          │            │              │              │               │             │           │          │         │
//      └──────────┴────────────┴──────────── failed / closed / timeout ──────┴─────────────┴───────────┴──────────┘     stopped
//
// Before INFO: TLS first, then the WebSocket upgrade. After it: the TLS upgrade, then the agreement on compression. Link.ts turns
// events into calls of `step` and carries out the effects.

import { type BackoffOptions, backoff } from "#base/backoff.ts";
import type { Millis } from "#base/clock.ts";

export type Link =
  | { readonly at: "waiting"; readonly attempt: number; readonly until: Millis }
  | { readonly at: "dialing"; readonly attempt: number; readonly deadline: Millis }
  | { readonly at: "securing"; readonly attempt: number; readonly deadline: Millis; readonly next: AfterTls }
  | { readonly at: "upgrading"; readonly attempt: number; readonly deadline: Millis; readonly isSecure: boolean }
  | { readonly at: "awaiting-info"; readonly attempt: number; readonly deadline: Millis; readonly isSecure: boolean }
  | { readonly at: "agreeing"; readonly attempt: number; readonly deadline: Millis }
  | { readonly at: "joining"; readonly attempt: number; readonly deadline: Millis }
  | { readonly at: "syncing"; readonly attempt: number; readonly deadline: Millis }
  | { readonly at: "ready"; readonly attempt: number; readonly since: Millis }
  | { readonly at: "stopped" };

/** What comes behind the TLS handshake. */
type AfterTls = "upgrading" | "awaiting-info" | "agreeing" | "joining";

export type LinkEvent =
  | { readonly type: "retry" }
  | { readonly type: "dialed" }
  | { readonly type: "secured" }
  /** The hub has taken us over to WebSocket. */
  | { readonly type: "upgraded" }
  /** The hub's first INFO. `compresses`: both sides want S2. */
  | { readonly type: "info"; readonly tlsRequired: boolean; readonly compresses: boolean }
  /** The hub's second INFO: from here on both sides compress. */
  | { readonly type: "agreed" }
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
  | { readonly do: "upgrade" }
  | { readonly do: "send-compression" }
  | { readonly do: "send-connect" }
  | { readonly do: "send-interest" }
  | { readonly do: "announce-ready" }
  | { readonly do: "close" }
  | { readonly do: "schedule"; readonly at: Millis };

export interface LinkRules {
  /**
   * `first`: TLS before any NATS byte. `required`: TLS after INFO whatever it says. `if-asked`: only if INFO requires it.
   * `never`: INFO's word about TLS is not about this connection (ws://, spec §4 `tls_required`).
   */
  readonly tls: "first" | "required" | "if-asked" | "never";
  readonly transport: "tcp" | "websocket";
  /** Hub URLs in the list: a round over all of them comes before the back-off grows. */
  readonly urls: number;
  readonly backoff: BackoffOptions;
  /** Deadlines per phase, learnt from the link: patience.ts. */
  readonly dialTimeout: Millis;
  readonly phaseTimeout: Millis;
}

/** A link that stayed ready this long starts over with short delays when it ends. */
const SETTLED_MS: Millis = 10_000;
/**
 * The same where the hub threw us out: of two devices of one name each holds the link for as long as the other one waits, and neither
 * would ever get beyond short delays.
 */
const SETTLED_GROWING_MS: Millis = 600_000;
/** Delay before the next URL of the same round. */
const NEXT_URL_MS: Millis = 250;
/** The wait after a connection that ended goes over this many times the shortest, at least. */
const FIRST_SPREAD = 3;
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
      if (rules.tls === "first") {
        const next = rules.transport === "websocket" ? "upgrading" : "awaiting-info";
        return [{ at: "securing", attempt, deadline, next }, { do: "secure" }];
      }
      if (rules.transport === "websocket") return [{ at: "upgrading", attempt, deadline, isSecure: false }, { do: "upgrade" }];
      return [{ at: "awaiting-info", attempt, deadline, isSecure: false }];
    case "securing":
      if (event.type !== "secured") return [link];
      switch (link.next) {
        case "upgrading":
          return [{ at: "upgrading", attempt, deadline, isSecure: true }, { do: "upgrade" }];
        case "awaiting-info":
          return [{ at: "awaiting-info", attempt, deadline, isSecure: true }];
        case "agreeing":
          return [{ at: "agreeing", attempt, deadline }, { do: "send-compression" }];
        case "joining":
          return [{ at: "joining", attempt, deadline }, { do: "send-connect" }];
      }
      break;
    case "upgrading":
      if (event.type !== "upgraded") return [link];
      return [{ at: "awaiting-info", attempt, deadline, isSecure: link.isSecure }];
    case "awaiting-info": {
      if (event.type !== "info") return [link];
      // TLS or no connection: what the hub says may add TLS, never take it away.
      const wantsTls = rules.tls === "required" || rules.tls === "first" || (rules.tls === "if-asked" && event.tlsRequired);
      const next = event.compresses ? "agreeing" : "joining";
      if (!link.isSecure && wantsTls) return [{ at: "securing", attempt, deadline, next }, { do: "secure" }];
      if (next === "agreeing") return [{ at: "agreeing", attempt, deadline }, { do: "send-compression" }];
      return [{ at: "joining", attempt, deadline }, { do: "send-connect" }];
    }
    case "agreeing":
      if (event.type !== "agreed") return [link];
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
  const wasSettled = link.at === "ready" && now - link.since >= (event.grows ? SETTLED_GROWING_MS : SETTLED_MS);
  const attempt = wasSettled ? 0 : link.attempt + 1;
  const until = now + delayBefore(attempt, event, rules, random, link.at !== "dialing");
  return [{ at: "waiting", attempt, until }, { do: "close" }, { do: "schedule", at: until }];
}

/**
 * How long to wait before attempt `attempt` (0 = right after a settled link ended). `wasConnected`: the hub had taken our connection.
 * Such an end is spread widest, whatever came before: a hub that restarts loses its whole fleet in the same instant, perhaps twice, and
 * must not get it back in the same one. Dials that failed are spread already.
 */
export function delayBefore(
  attempt: number,
  event: { readonly wait: Millis | null; readonly grows: boolean },
  rules: Pick<LinkRules, "urls" | "backoff">,
  random: number,
  wasConnected: boolean,
): Millis {
  if (event.wait !== null) return event.wait + backoff(rules.backoff, 0, random);
  if (event.grows) return backoff({ min: 1000, max: GROWING_MAX_MS, jitter: 0.5 }, attempt, random);
  const { min, max, jitter } = rules.backoff;
  const round = Math.floor(attempt / rules.urls);
  if (attempt === 0 || wasConnected) {
    const least = min * (1 - jitter);
    const spread = Math.max(min * FIRST_SPREAD, Math.min(max - least, min * 2 ** round));
    return least + spread * random;
  }
  return attempt % rules.urls === 0 ? backoff(rules.backoff, round, random) : NEXT_URL_MS * random;
}
