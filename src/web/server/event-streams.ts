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
/** Unread bytes of one stream. */
const UNREAD_BYTES_MAX = 256 * 1024;

interface Stream {
  readonly response: ServerResponse;
  readonly session: Session;
}

export class EventStreams implements Disposable {
  readonly #sessions: Sessions;
  readonly #report: () => object;
  readonly #streams = new Set<Stream>();
  readonly #timer: Disposable;
  readonly #tail: Disposable;
  #cutOff = 0;

  constructor(sessions: Sessions, tail: LogTail, report: () => object, clock: Clock) {
    this.#sessions = sessions;
    this.#report = report;
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
    response.on("close", () => this.#streams.delete(stream)).on("error", () => undefined); // close follows
    this.#send(stream, message("status", JSON.stringify(this.#report())));
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
    this.#tail[Symbol.dispose]();
    for (const { response } of this.#streams) response.destroy();
    this.#streams.clear();
  }

  #tick(): void {
    if (this.#streams.size === 0) return;
    for (const stream of this.#streams) {
      if (this.#sessions.holds(stream.session)) continue;
      stream.response.end(message("end", "the session has ended"));
      this.#streams.delete(stream);
    }
    if (this.#streams.size > 0) this.#tell("status", JSON.stringify(this.#report()), () => true);
  }

  #tell(event: string, data: string, isFor: (stream: Stream) => boolean): void {
    const text = message(event, data);
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
function message(event: string, data: string): string {
  return `event: ${event}\ndata: ${data.replaceAll(/[\r\n]+/g, " ")}\n\n`;
}
