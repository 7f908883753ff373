// What a hub's -ERR means for us: a code, a sentence with the remedy, and how long to stay away.
// Source: spec/leafnode-protocol.md §§6.1, 6.3. nats-server itself hammers on those that grow; we do not.

import type { Millis } from "#base/clock.ts";
import { PetioleError } from "#base/errors.ts";
import {
  LEAF_AUTH_REJECTED,
  LEAF_DUPLICATE,
  LEAF_HUB_ERROR,
  LEAF_LOOP,
  LEAF_MIN_VERSION,
  LEAF_PERMISSION,
  LEAF_SAME_CLUSTER,
  LEAF_TIMEOUT,
} from "./errors.ts";

interface Rule {
  readonly text: RegExp;
  readonly code: string;
  readonly remedy: string;
  /** Fixed wait, as nats-server keeps it; null: growing, from the ordinary back-off up to 30 s. */
  readonly wait: Millis | null;
}

const RULES: readonly Rule[] = [
  {
    text: /Loop detected/i,
    code: LEAF_LOOP,
    remedy: "this account reaches the hub on two ways; remove one of them",
    wait: 30_000,
  },
  {
    text: /same cluster name/i,
    code: LEAF_SAME_CLUSTER,
    remedy: "server_name equals the hub's cluster name; give this device another server_name",
    wait: 30_000,
  },
  {
    text: /minimum version required/i,
    code: LEAF_MIN_VERSION,
    remedy: "the hub's leafnodes.min_version is higher than what we speak",
    wait: 5_000,
  },
  {
    text: /Permissions Violation/i,
    code: LEAF_PERMISSION,
    remedy: "the hub's permissions for this user forbid it; widen them at the hub or narrow the subjects here",
    wait: 30_000,
  },
  {
    text: /Duplicate Remote LeafNode/i,
    code: LEAF_DUPLICATE,
    remedy: "another device uses the same server_name and account; give each device its own server_name",
    wait: null,
  },
  {
    text: /Authentication Timeout/i,
    code: LEAF_TIMEOUT,
    remedy: "our login came too late: the line is slow or loses bytes; raise leafnodes.authorization.timeout at the hub",
    wait: null,
  },
  {
    text: /Authorization Violation|Authentication (Expired|Revoked)/i,
    code: LEAF_AUTH_REJECTED,
    remedy: "the hub does not accept these credentials; check user and password or the credentials file",
    wait: null,
  },
  {
    text: /maximum account active connections/i,
    code: LEAF_AUTH_REJECTED,
    remedy: "the hub's account allows no more leaf connections",
    wait: null,
  },
];

/** What a hub writes stands in logs and on the page. */
const TEXT_CHARS_MAX = 300;

export interface Rejection {
  readonly error: PetioleError;
  /** Fixed wait before the next attempt, or null for a growing one. */
  readonly wait: Millis | null;
}

/** What to make of the text of an -ERR line. */
export function rejectionOf(hub: string, text: string): Rejection {
  const rule = RULES.find((candidate) => candidate.text.test(text));
  const words = text.slice(0, TEXT_CHARS_MAX).replaceAll(/\p{Cc}/gu, " ");
  if (rule === undefined) return { error: new PetioleError(LEAF_HUB_ERROR, `hub ${hub} ended the link: ${words}`), wait: null };
  return {
    error: new PetioleError(rule.code, `hub ${hub} refused: ${words}; ${rule.remedy}`, { remedy: "backoff" }),
    wait: rule.wait,
  };
}

/** Errors after which the hub keeps the connection (spec §6.1, "stays open"). */
export function isHarmless(text: string): boolean {
  return /Invalid Subscription|maximum subscriptions exceeded/i.test(text);
}
