// The life of one port as a value, moved by a pure function. Drawing: README.md.
//
// The scan, once a second, says `found` or `missing`; the open port itself says `lost`; everything else is an answer to an effect.

import { backoff } from "#base/backoff.ts";
import type { Millis } from "#base/clock.ts";
import type { TtyInfo } from "#base/tty.ts";
import { type Cause, isSameDevice } from "./match.ts";

export type PortLife =
  /** No device is there for it, or none that can be told from others. */
  | { readonly at: "absent"; readonly cause: Cause }
  | { readonly at: "opening"; readonly device: TtyInfo; readonly attempt: number }
  | { readonly at: "open"; readonly device: TtyInfo; readonly attempt: number; readonly openedAt: Millis }
  /** Could not be opened, or was lost; tried again by the first scan after `until` that finds the device. */
  | { readonly at: "waiting"; readonly device: TtyInfo; readonly attempt: number; readonly until: Millis; readonly cause: Cause }
  /** `cause`: why it is absent afterwards; null: the spoke stops. */
  | { readonly at: "closing"; readonly device: TtyInfo; readonly cause: Cause | null }
  | { readonly at: "closed" };

export type PortEvent =
  | { readonly type: "found"; readonly device: TtyInfo }
  | { readonly type: "missing"; readonly cause: Cause }
  | { readonly type: "opened" }
  | { readonly type: "open-failed"; readonly cause: Cause }
  | { readonly type: "lost"; readonly cause: Cause }
  /** It is open and no good: close it; the next scan opens it anew. */
  | { readonly type: "reopen"; readonly cause: Cause }
  | { readonly type: "tty-closed" }
  | { readonly type: "stop" };

export type PortEffect = { readonly do: "open"; readonly device: TtyInfo } | { readonly do: "close" };

export interface RetryOptions {
  readonly min: Millis;
  readonly max: Millis;
}

/** The first retry fits between two scans, so that the next one makes it. */
const RETRY: RetryOptions = { min: 500, max: 10_000 };
/** A port that was open for less counts as failed again: a device that resets itself in a loop is not opened each second. */
const STEADY_MS = 5000;

export const NOT_LOOKED_YET: PortLife = {
  at: "absent",
  cause: { code: "SERIAL_ABSENT", text: "the devices have not been looked at yet" },
};

/** Pure: no port, no timer, no clock but `now`. Events that mean nothing here change nothing: the same value comes back. */
export function step(
  life: PortLife,
  event: PortEvent,
  now: Millis,
  retry: RetryOptions = RETRY,
): readonly [next: PortLife, ...effects: PortEffect[]] {
  switch (event.type) {
    case "found":
      return onFound(life, event.device, now);
    case "missing":
      return onMissing(life, event.cause);
    case "opened":
      if (life.at === "opening") return [{ at: "open", device: life.device, attempt: life.attempt, openedAt: now }];
      return life.at === "closing" ? [life, { do: "close" }] : [life]; // stopped while it was being opened
    case "open-failed":
      if (life.at === "opening") return [waiting(life, event.cause, now, retry)];
      return life.at === "closing" ? [afterClosing(life.cause)] : [life];
    case "lost":
      if (life.at !== "open") return [life];
      if (now - life.openedAt < STEADY_MS) return [waiting(life, event.cause, now, retry)];
      return [{ at: "waiting", device: life.device, attempt: 0, until: now, cause: event.cause }];
    case "reopen":
      if (life.at !== "open") return [life];
      return [{ at: "closing", device: life.device, cause: event.cause }, { do: "close" }];
    case "tty-closed":
      return life.at === "closing" ? [afterClosing(life.cause)] : [life];
    case "stop":
      return onStop(life);
  }
}

function onFound(life: PortLife, device: TtyInfo, now: Millis): readonly [PortLife, ...PortEffect[]] {
  if (life.at === "absent") return opening(device, 0);
  if (life.at === "waiting") {
    if (!isSameDevice(life.device, device)) return opening(device, 0);
    return now >= life.until ? opening(device, life.attempt) : [life];
  }
  if (life.at === "open" && !isSameDevice(life.device, device)) {
    const text = `${life.device.path} was unplugged and another device is there`;
    return [{ at: "closing", device: life.device, cause: { code: "SERIAL_LOST", text } }, { do: "close" }];
  }
  return [life];
}

function onMissing(life: PortLife, cause: Cause): readonly [PortLife, ...PortEffect[]] {
  if (life.at === "open") return [{ at: "closing", device: life.device, cause }, { do: "close" }];
  if (life.at === "waiting") return [{ at: "absent", cause }];
  if (life.at === "absent" && life.cause.text !== cause.text) return [{ at: "absent", cause }];
  return [life];
}

function onStop(life: PortLife): readonly [PortLife, ...PortEffect[]] {
  if (life.at === "open") return [{ at: "closing", device: life.device, cause: null }, { do: "close" }];
  if (life.at === "opening" || life.at === "closing") return [{ at: "closing", device: life.device, cause: null }];
  return [{ at: "closed" }];
}

function opening(device: TtyInfo, attempt: number): readonly [PortLife, ...PortEffect[]] {
  return [
    { at: "opening", device, attempt },
    { do: "open", device },
  ];
}

function waiting(
  { device, attempt }: { readonly device: TtyInfo; readonly attempt: number },
  cause: Cause,
  now: Millis,
  retry: RetryOptions,
): PortLife {
  const until = now + backoff({ ...retry, jitter: 0 }, attempt, 0);
  return { at: "waiting", device, attempt: attempt + 1, until, cause };
}

function afterClosing(cause: Cause | null): PortLife {
  return cause === null ? { at: "closed" } : { at: "absent", cause };
}
