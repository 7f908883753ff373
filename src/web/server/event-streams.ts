// Live data for the page: server-sent events (WHATWG HTML §9.2). `status` every two seconds, `log` as lines come.
//
// A reader that does not keep up is cut off; the browser comes again by itself and gets the present state. A stream ends with its
// session, and does not prolong it.

import type { ServerResponse } from "node:http";
import type { Clock, Millis } from "#base/clock.ts";
import { SECURITY_HEADERS } from "./answer.ts";
import { WEB_BUSY, WebRefusal } from "./errors.ts";
import type { LogTail } from "./log-tail.ts";
import { hasRole } from "./roles.ts";
import type { Session, Sessions } from "./sessions.ts";

const PERIOD_MS: Millis = 2_000;
const STREAMS_MAX = 32;
const PER_SESSION_MAX = 4;
/** So long the end of a session may take to reach its reader. */
const LEAVE_WITHIN_MS: Millis = 10_000;
/** Unread bytes of one stream. */
const UNREAD_BYTES_MAX = 256 * 1024;

interface Stream {
  readonly response: ServerResponse;
  readonly session: Session;
}

export class EventStreams implements Disposable {
  readonly #sessions: Sessions;
  readonly #report: () => object;
  readonly #clock: Clock;
  readonly #streams = new Set<Stream>();
  /** Told that their session is over, and since when. */
  readonly #leaving = new Map<ServerResponse, Millis>();
  readonly #timer: Disposable;
  readonly #tail: Disposable;
  #cutOff = 0;

  constructor(sessions: Sessions, tail: LogTail, report: () => object, clock: Clock) {
    this.#sessions = sessions;
    this.#report = report;
    this.#clock = clock;
    this.#timer = clock.every(PERIOD_MS, () => this.#tick());
    this.#tail = tail.listen((line) => this.#tell("log", line, ({ session }) => hasRole(session.role, "technician")));
  }

  get size(): number {
    return this.#streams.size;
  }

  /** Streams that were cut off for not keeping up. */
  get cutOff(): number {
    return this.#cutOff;
  }

  /** The response is ours from then on. Throws WEB_BUSY. */
  open(response: ServerResponse, session: Session): void {
    const own = [...this.#streams].filter((each) => each.session === session).length;
    if (own >= PER_SESSION_MAX || this.#streams.size >= STREAMS_MAX)
      throw new WebRefusal(429, WEB_BUSY, "too many pages of this device are open at once; close some");
    response.writeHead(200, {
      ...SECURITY_HEADERS,
      "Content-Type": "text/event-stream; charset=utf-8",
      "Cache-Control": "no-store",
      Connection: "close",
    });
    const stream = { response, session };
    this.#streams.add(stream);
    const onClose = () => {
      this.#streams.delete(stream);
      this.#leaving.delete(response);
    };
    response.on("close", onClose).on("error", () => undefined); // close follows
    this.#send(stream, eventText("status", JSON.stringify(this.#report())));
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
    this.#tail[Symbol.dispose]();
    for (const { response } of this.#streams) response.destroy();
    for (const response of this.#leaving.keys()) response.destroy();
    this.#streams.clear();
  }

  #tick(): void {
    // Whoever does not read would never hear the end, and would hold a connection for good.
    for (const [response, since] of this.#leaving) if (this.#clock.now() - since >= LEAVE_WITHIN_MS) response.destroy();
    if (this.#streams.size === 0) return;
    for (const stream of this.#streams) {
      if (this.#sessions.holds(stream.session)) continue;
      this.#streams.delete(stream);
      this.#leaving.set(stream.response, this.#clock.now());
      stream.response.end(eventText("end", "the session has ended"));
    }
    if (this.#streams.size > 0) this.#tell("status", JSON.stringify(this.#report()), () => true);
  }

  #tell(event: string, data: string, isFor: (stream: Stream) => boolean): void {
    const text = eventText(event, data);
    for (const stream of this.#streams) if (isFor(stream)) this.#send(stream, text);
  }

  #send(stream: Stream, text: string): void {
    if (stream.response.writableLength + text.length > UNREAD_BYTES_MAX) {
      this.#cutOff += 1;
      this.#streams.delete(stream);
      stream.response.destroy();
    } else stream.response.write(text);
  }
}

/** A line break in the data would begin a field of its own. */
export function eventText(event: string, data: string): string {
  return `event: ${event}\ndata: ${data.replaceAll(/[\r\n]+/g, " ")}\n\n`;
}
