// What the page may ask of messages, serial ports and the doctor. The composition root hands these in (live-desks.ts beside spoke.ts knows
// the uplinks, the ports and the settings); the words are the outside's.

import type { AccountRouter } from "#router/router.ts";

export interface RuleInForce {
  /** Its place in the settings, from 0. */
  readonly index: number;
  readonly class: string;
  readonly keep: string;
  readonly confirm: string;
}

/** What one hub would make of a message, or made of it. */
export interface HubOutlook {
  readonly remote: string;
  readonly is_linked: boolean;
  /** Does anybody at the hub listen: `now`, `before` (when it was last seen), `never`, or `unknown`: never seen. */
  readonly listening: "now" | "before" | "never" | "unknown";
  /** The hub, and our own deny_exports, let it pass. */
  readonly may_pass: boolean;
}

/**
 * What became of a message at one hub. `delivered`: confirmed as its rule wants it; `awaited`: a stream has not answered yet; `stored`: on
 * flash here until there is a link; `held`: kept here since nobody at the hub listens; `staged`: neither confirmed nor on flash yet;
 * `sent`: to the link, at most once, confirmed by nobody; the rest: not sent, and not kept.
 */
export type SendOutcome =
  | "delivered"
  | "awaited"
  | "stored"
  | "held"
  | "staged"
  | "sent"
  | "no_interest"
  | "link_down"
  | "not_permitted"
  | "too_large"
  | "no_room";

export interface HubResult extends HubOutlook {
  readonly outcome: SendOutcome;
}

export interface OwnMessage {
  /** latin1 form, literal. */
  readonly subject: string;
  readonly headers: Buffer;
  readonly payload: Buffer;
  /** As if its publisher had asked for it: QoS 1. */
  readonly isKept: boolean;
  /** "": none. */
  readonly reply: string;
}

/** What a test message proved at one hub. */
export interface TestResult {
  readonly remote: string;
  readonly is_linked: boolean;
  /** `message`: ours arrived and was confirmed; `pong`: the hub has read what we sent, though nobody there listens; null: nothing. */
  readonly there: { readonly by: "message" | "pong" | null; readonly text: string };
  /** `message`: an answer of the hub's reached this device; `pong`: its bytes do; null: nothing. */
  readonly back: { readonly by: "message" | "pong" | null; readonly text: string };
  readonly outcome: SendOutcome | null;
  readonly rtt_ms: number | null;
}

export interface MessageDesk {
  /** By name; the first is the one that serial ports and the host speak into. */
  readonly accounts: ReadonlyMap<string, AccountRouter>;
  /** The outbox's rule that a literal subject falls under. */
  ruleOf(subject: string): RuleInForce | null;
  /** Headers and payload together. */
  readonly payloadBytesMax: number;
  /** The MQTT topic of a literal subject. Both in latin1 form. */
  topicOf(subject: string): string;
  /** In the order of the settings. */
  outlook(account: AccountRouter, subject: string): readonly HubOutlook[];
  /** Through the router as any message; resolves when its fate is known, or when nothing more comes within `budgetMs`. */
  send(account: AccountRouter, message: OwnMessage, budgetMs: number, signal: AbortSignal): Promise<readonly HubResult[]>;
  /** To every hub and back, as far as can be proved, on a subject of its own. */
  test(budgetMs: number, signal: AbortSignal): Promise<{ readonly subject: string; readonly remotes: readonly TestResult[] }>;
}

/** One examination that is ready to begin. */
export interface Examination {
  /** Stable ids of the steps that will be taken, in their order. */
  readonly steps: readonly string[];
  /** Tells each finding as it is found; resolves with the whole report. Ends with the signal's reason. */
  run(onFinding: (finding: object) => void, signal: AbortSignal): Promise<object>;
}

export interface DoctorDesk {
  /** Of the device as it is; or of a remote as the settings would have it, which need not be in them. Throws WEB_FAULTS. */
  prepare(remote: unknown): Promise<Examination>;
}

/** A frame, or bytes that make none. */
export interface SeenFrame {
  /** As much of it as is shown. */
  readonly bytes: Buffer;
  readonly size: number;
  /** What would be published; null where nobody has said how to read this port. Subjects in latin1 form. */
  readonly messages: readonly { readonly subject: string; readonly payload: Buffer }[] | null;
  readonly fault: string | null;
}

export interface FrameListener {
  /** False: it has enough for now, and the frame is not even read. */
  wantsFrame(): boolean;
  /** The bytes are borrowed until the call returns. */
  onFrame(frame: SeenFrame): void;
  /** The port was opened anew, with other settings perhaps; null: the settings have it no more, and nothing comes. */
  onMoved?(facts: object | null): void;
}

export interface SerialDesk {
  /** Every device that is there, and every port of the settings that has none: `petiole serial list --json`. */
  list(): Promise<object>;
  /** What tells devices apart, by path: to see what comes and goes. Cheap enough for every second. */
  glance(): Promise<ReadonlyMap<string, string>>;
  /** Calls `onHint` when something may have come or gone. */
  watch(onHint: () => void): Disposable;
  /** undefined: there is no such port in the settings that run. */
  listen(port: string, listener: FrameListener): { readonly facts: object; readonly end: Disposable } | undefined;
  /** Only for a device that `list` has. Tells each setting before it is tried; resolves with proposals. Throws SERIAL_ABSENT, SERIAL_BUSY. */
  guess(path: string, onTry: (line: object) => void, signal: AbortSignal): Promise<object>;
}
