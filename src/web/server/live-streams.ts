// Events that one reader asked for: messages, frames, findings. Server-sent events, as event-streams.ts writes them.
//
//   route ─ tell ─▶ unread bytes ─▶ browser        full: tell says no, and whoever tells leaves out and counts
//
// What fails before the first event is refused as any request is; what fails later is told by an event `fault`.
// Nobody waits for a reader. One that takes nothing for a while is cut off, and a stream ends with its session, which it does not prolong.

import type { ServerResponse } from "node:http";
import type { Clock, Millis } from "#base/clock.ts";
import { explain, isFault, PetioleError } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { refusalAnswer, SECURITY_HEADERS } from "./answer.ts";
import { WEB_BUSY, WEB_UNAVAILABLE, WebRefusal } from "./errors.ts";
import { eventText } from "./event-streams.ts";
import type { Live } from "./route.ts";
import type { Session, Sessions } from "./sessions.ts";

const STREAMS_MAX = 16;
const PER_SESSION_MAX = 4;
/** Unread bytes of one stream. */
const UNREAD_BYTES_MAX = 256 * 1024;
const TICK_MS: Millis = 2_000;
/** A reader that takes nothing of what waits for so long is gone, or stuck. */
const STUCK_MS: Millis = 30_000;
/** Something is said this often, so that a reader who has gone away shows. */
const SIGN_OF_LIFE_MS: Millis = 16_000;

export interface LiveStream {
  /** False: the reader does not keep up, and this was left out. */
  tell(event: string, data: object): boolean;
  /** Aborted when the stream is over, whoever ended it. */
  readonly signal: AbortSignal;
  /** Resolves when the stream is over. */
  readonly over: Promise<void>;
}

export class LiveStreams implements Disposable {
  readonly #sessions: Sessions;
  readonly #env: { readonly clock: Clock; readonly log: Log };
  readonly #readers = new Set<Reader>();
  #timer: Disposable | undefined;

  constructor(sessions: Sessions, env: { readonly clock: Clock; readonly log: Log }) {
    this.#sessions = sessions;
    this.#env = env;
  }

  get size(): number {
    return this.#readers.size;
  }

  /** The response is ours from then on. Throws WEB_BUSY. */
  open(response: ServerResponse, session: Session, { live }: Live): void {
    const own = [...this.#readers].filter((each) => each.session === session).length;
    if (own >= PER_SESSION_MAX || this.#readers.size >= STREAMS_MAX)
      throw new WebRefusal(429, WEB_BUSY, "too many live views of this device are open at once; close some");
    const reader = new Reader(response, session, this.#env.clock);
    this.#readers.add(reader);
    this.#timer ??= this.#env.clock.every(TICK_MS, () => this.#tick());
    response.on("close", () => this.#forget(reader)).on("error", () => undefined); // close follows
    if (response.destroyed) this.#forget(reader);
    live(reader).then(
      () => reader.end(),
      (error: unknown) => this.#onFault(reader, error),
    );
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    for (const reader of this.#readers) {
      reader.cut();
      reader.close();
    }
    this.#readers.clear();
  }

  #tick(): void {
    for (const reader of this.#readers) {
      if (!this.#sessions.holds(reader.session)) {
        reader.say(eventText("end", "the session has ended"));
        reader.end();
      }
      reader.tick();
    }
  }

  #forget(reader: Reader): void {
    reader.close();
    this.#readers.delete(reader);
    if (this.#readers.size > 0) return;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #onFault(reader: Reader, error: unknown): void {
    if (!isFault(error)) throw error;
    if (reader.signal.aborted) return; // it ended because its reader did
    const { code, message } = error instanceof PetioleError ? error : { code: WEB_UNAVAILABLE, message: explain(error) };
    if (!(error instanceof PetioleError)) this.#env.log.error("a live view of the page broke down", { error: message });
    if (reader.hasBegun) reader.tell("fault", { code, message });
    else reader.refuse(error instanceof WebRefusal ? error : new WebRefusal(409, code, message));
    reader.end();
  }
}

/** Why work for a reader ends: not a bug, wherever it is caught. */
export function gone(): WebRefusal {
  return new WebRefusal(400, WEB_UNAVAILABLE, "whoever asked has gone away");
}

class Reader implements LiveStream {
  readonly session: Session;
  readonly signal: AbortSignal;
  readonly over: Promise<void>;
  readonly #response: ServerResponse;
  readonly #clock: Clock;
  readonly #ending = new AbortController();
  readonly #onOver: () => void;
  /** When it was last seen to take something, or with nothing to take. */
  #tookAt: Millis;
  #unread = 0;
  #saidAt: Millis;

  constructor(response: ServerResponse, session: Session, clock: Clock) {
    this.#response = response;
    this.session = session;
    this.#clock = clock;
    this.signal = this.#ending.signal;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.over = promise;
    this.#onOver = resolve;
    this.#tookAt = clock.now();
    this.#saidAt = clock.now();
  }

  tell(event: string, data: object): boolean {
    const text = eventText(event, JSON.stringify(data));
    if (this.signal.aborted || this.#response.writableLength + text.length > UNREAD_BYTES_MAX) return false;
    this.say(text);
    return true;
  }

  /** Until something was said, a refusal can be an ordinary answer. */
  get hasBegun(): boolean {
    return this.#response.headersSent;
  }

  refuse(refusal: WebRefusal): void {
    if (this.#response.destroyed) return;
    const { status, headers, body } = refusalAnswer(refusal);
    this.#response.writeHead(status, {
      ...SECURITY_HEADERS,
      ...headers,
      "Content-Length": Buffer.byteLength(body),
      Connection: "close",
    });
    this.#response.end(body);
  }

  say(text: string): void {
    if (this.#response.destroyed || this.#response.writableEnded) return;
    if (!this.hasBegun) this.#begin();
    this.#saidAt = this.#clock.now();
    this.#response.write(text);
  }

  tick(): void {
    const now = this.#clock.now();
    const unread = this.#response.writableLength;
    if (unread === 0 || unread < this.#unread) this.#tookAt = now;
    this.#unread = unread;
    if (now - this.#tookAt >= STUCK_MS) this.cut();
    else if (now - this.#saidAt >= SIGN_OF_LIFE_MS) this.say(": \n\n");
  }

  /** What was said still reaches the reader. */
  end(): void {
    if (!this.hasBegun && !this.#response.destroyed) this.#begin();
    if (!this.#response.writableEnded) this.#response.end();
    this.close();
  }

  cut(): void {
    this.#response.destroy();
  }

  #begin(): void {
    this.#response.writeHead(200, {
      ...SECURITY_HEADERS,
      "Content-Type": "text/event-stream; charset=utf-8",
      "Cache-Control": "no-store",
      Connection: "close",
    });
  }

  /** Nothing more comes. */
  close(): void {
    this.#ending.abort(gone());
    this.#onOver();
  }
}
