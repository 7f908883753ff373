// JetStream of a hub in memory, as far as a spoke meets it: streams that store by subject, drop doubles by Nats-Msg-Id within their
// window, answer PubAcks, and the API by which somebody asks what a stream holds. Modelled on nats-server 2.10 and 2.15.
//
//   message ─▶ stream ─┬─ id seen within duplicate_window ─▶ PubAck { duplicate: true }
//                      ├─ stored ─────────────────────────▶ PubAck { seq }
//                      └─ no space ───────────────────────▶ PubAck { error 10047 }   silent ─▶ nothing

import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import { subjectMatches } from "#core/subject.ts";
import type { Arrival } from "./memory-hub.ts";

export interface StoredMessage {
  readonly seq: number;
  readonly subject: string;
  readonly headers: string;
  readonly id: string | undefined;
  readonly payload: string;
  /** By the hub's calendar. */
  readonly at: WallMillis;
}

export interface StreamOptions {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly duplicateWindow: Millis;
}

/** What a stream does instead of storing. */
export type StreamFault = "no_space" | "silent" | "deaf" | "overrun" | null;

export class MemoryStream {
  readonly options: StreamOptions;
  readonly messages: StoredMessage[] = [];
  /** silent: stores and says nothing. deaf: neither. overrun: drops every other, and says so to whoever asked for its word. */
  fault: StreamFault = null;
  #taken = 0;
  readonly #seen = new Map<string, { readonly seq: number; readonly at: WallMillis }>();

  constructor(options: StreamOptions) {
    this.options = options;
  }

  covers(subject: string): boolean {
    return this.options.subjects.some((filter) => subjectMatches(filter, subject));
  }

  /** The PubAck; undefined: no answer. */
  take({ subject, headers, payload }: Arrival, at: WallMillis): object | undefined {
    const stream = this.options.name;
    if (this.fault === "deaf") return undefined;
    if (this.fault === "no_space") {
      return { error: { code: 503, err_code: 10047, description: "insufficient storage resources available" }, stream, seq: 0 };
    }
    this.#taken += 1;
    if (this.fault === "overrun" && this.#taken % 2 === 0)
      return { error: { code: 429, err_code: 10167, description: "too many requests" }, stream, seq: 0 };
    const id = headerOf(headers, "Nats-Msg-Id");
    const seen = id === undefined ? undefined : this.#seen.get(id);
    if (seen !== undefined && at - seen.at < this.options.duplicateWindow)
      return this.#answer({ stream, seq: seen.seq, duplicate: true });
    const seq = this.messages.length + 1;
    if (id !== undefined) this.#seen.set(id, { seq, at });
    this.messages.push({ seq, subject, headers, id, payload: payload.toString("latin1"), at });
    return this.#answer({ stream, seq });
  }

  #answer(answer: object): object | undefined {
    return this.fault === "silent" ? undefined : answer;
  }
}

interface Consumer {
  readonly stream: MemoryStream;
  readonly isHeadersOnly: boolean;
  readonly filters: readonly string[];
  readonly from: WallMillis;
  next: number;
  delivered: number;
}

/** What the hub says to the spoke. */
export type Say = (
  subject: string,
  message: { readonly reply?: string; readonly headers?: string; readonly payload: string },
) => void;

const API = "$JS.API.";

export class MemoryStreams {
  readonly streams: readonly MemoryStream[];
  /** The API does not answer: no permission, an overloaded leader. */
  isApiSilent = false;
  /** Requests to the API, by kind. */
  readonly asked: Record<string, number> = {};
  readonly #clock: Clock;
  readonly #say: Say;
  readonly #consumers = new Map<string, Consumer>();
  #consumerNames = 0;

  constructor(clock: Clock, streams: readonly StreamOptions[], say: Say) {
    this.#clock = clock;
    this.#say = say;
    this.streams = streams.map((options) => new MemoryStream(options));
  }

  /** Consumers that live in memory and nowhere else. */
  get consumers(): number {
    return this.#consumers.size;
  }

  /** What the account listens to because of its streams. */
  get interest(): readonly string[] {
    return ["$JS.API.>", ...this.streams.flatMap(({ options }) => options.subjects)];
  }

  /** The hub restarts: what is stored stays, consumers in memory do not. */
  restart(): void {
    this.#consumers.clear();
  }

  take(arrival: Arrival): void {
    if (arrival.subject.startsWith(API)) {
      if (!this.isApiSilent) this.#onRequest(arrival);
      return;
    }
    for (const stream of this.streams) {
      if (!stream.covers(arrival.subject)) continue;
      const answer = stream.take(arrival, this.#clock.wall());
      if (answer !== undefined && arrival.reply !== "") this.#say(arrival.reply, { payload: JSON.stringify(answer) });
    }
  }

  #onRequest({ subject, reply, payload }: Arrival): void {
    const request = payload.length === 0 ? {} : (JSON.parse(payload.toString()) as Record<string, unknown>);
    const words = subject.slice(API.length).split(".");
    const kind = words[0] === "CONSUMER" && words[1] === "MSG" ? "CONSUMER.MSG.NEXT" : `${words[0]}.${words[1]}`;
    this.asked[kind] = (this.asked[kind] ?? 0) + 1;
    const answer = (type: string, body: object) =>
      this.#say(reply, { payload: JSON.stringify({ type: `io.nats.jetstream.api.v1.${type}_response`, ...body }) });
    switch (kind) {
      case "STREAM.NAMES": {
        const wanted = typeof request["subject"] === "string" ? request["subject"] : ">";
        const offset = Number(request["offset"] ?? 0);
        const names = this.streams.filter(({ options }) => options.subjects.some((filter) => overlaps(filter, wanted)));
        const streams = names.map(({ options }) => options.name).slice(offset);
        answer("stream_names", { total: names.length, offset, limit: 1024, streams: streams.length === 0 ? null : streams });
        return;
      }
      case "STREAM.INFO": {
        const stream = this.#named(words[2]);
        if (stream === undefined)
          answer("stream_info", { error: { code: 404, err_code: 10059, description: "stream not found" } });
        else answer("stream_info", this.#info(stream));
        return;
      }
      case "CONSUMER.CREATE":
        this.#create(words, request, (body) => answer("consumer_create", body));
        return;
      case "CONSUMER.MSG.NEXT":
        this.#next(this.#consumers.get(`${words[3]} ${words[4]}`), request, reply);
        return;
      case "CONSUMER.DELETE": {
        const isKnown = this.#consumers.delete(`${words[2]} ${words[3]}`);
        const error = { code: 404, err_code: 10014, description: "consumer not found" };
        answer("consumer_delete", isKnown ? { success: true } : { error, success: false });
        return;
      }
      default:
        this.#say(reply, { headers: "NATS/1.0 503\r\n\r\n", payload: "" });
    }
  }

  #info({ options, messages }: MemoryStream): object {
    const last = messages.at(-1);
    const stamp = (wall: WallMillis | undefined) => (wall === undefined ? "0001-01-01T00:00:00Z" : iso(wall));
    return {
      config: {
        name: options.name,
        subjects: options.subjects,
        retention: "limits",
        max_consumers: -1,
        max_msgs: -1,
        max_bytes: -1,
        max_age: 0,
        max_msg_size: -1,
        storage: "file",
        discard: "old",
        num_replicas: 1,
        duplicate_window: options.duplicateWindow * 1e6,
      },
      created: stamp(0),
      state: {
        messages: messages.length,
        bytes: 0,
        first_seq: messages.length === 0 ? 0 : 1,
        first_ts: stamp(messages[0]?.at),
        last_seq: last?.seq ?? 0,
        last_ts: stamp(last?.at),
        consumer_count: this.#consumers.size,
      },
      ts: iso(this.#clock.wall()),
    };
  }

  /** `CONSUMER.CREATE.<stream>[.<name>[.<filter>]]` */
  #create(words: readonly string[], request: Record<string, unknown>, answer: (body: object) => void): void {
    const stream = this.#named(words[2]);
    const config = request["config"] as Record<string, unknown> | undefined;
    if (stream === undefined || config === undefined) {
      answer({ error: { code: 404, err_code: 10059, description: "stream not found" } });
      return;
    }
    const name = words[3] ?? (config["name"] as string | undefined) ?? `C${++this.#consumerNames}`;
    const one = config["filter_subject"];
    const filters = (config["filter_subjects"] as string[] | undefined) ?? (typeof one === "string" ? [one] : []);
    const from = config["deliver_policy"] === "by_start_time" ? Date.parse(String(config["opt_start_time"])) : 0;
    const consumer = { stream, filters, from, isHeadersOnly: config["headers_only"] === true, next: 0, delivered: 0 };
    this.#consumers.set(`${stream.options.name} ${name}`, consumer);
    const pending = stream.messages.filter((message) => isFor(consumer, message)).length;
    answer({
      stream_name: stream.options.name,
      name,
      config: { ...config, name },
      num_pending: pending,
      ts: iso(this.#clock.wall()),
    });
  }

  /** Delivers to the inbox: as many as there are, then a status that says why no more come. */
  #next(consumer: Consumer | undefined, request: Record<string, unknown>, inbox: string): void {
    if (consumer === undefined) {
      this.#say(inbox, { headers: "NATS/1.0 503\r\n\r\n", payload: "" }); // nobody is subscribed to a consumer that is not there
      return;
    }
    const batch = Number(request["batch"] ?? 1);
    const { messages, options } = consumer.stream;
    let left = messages.reduce((count, message, i) => (i >= consumer.next && isFor(consumer, message) ? count + 1 : count), 0);
    let sent = 0;
    for (; consumer.next < messages.length && sent < batch; consumer.next++) {
      const message = messages[consumer.next]!;
      if (!isFor(consumer, message)) continue;
      sent += 1;
      consumer.delivered += 1;
      left -= 1;
      const ack = `$JS.ACK.${options.name}.C.1.${message.seq}.${consumer.delivered}.${Math.round(message.at) * 1e6}.${left}`;
      const size = `Nats-Msg-Size: ${message.payload.length}\r\n\r\n`;
      const bare = message.headers === "" ? "NATS/1.0\r\n" : message.headers.slice(0, -2);
      const content = consumer.isHeadersOnly
        ? { headers: bare + size, payload: "" }
        : { headers: message.headers, payload: message.payload };
      this.#say(inbox, { reply: `${ack}@${message.subject}`, ...content });
    }
    if (sent === batch) return;
    const why = request["no_wait"] === true ? "404 No Messages" : "408 Request Timeout";
    this.#say(inbox, { headers: `NATS/1.0 ${why}\r\nNats-Pending-Messages: ${batch - sent}\r\n\r\n`, payload: "" });
  }

  #named(name: string | undefined): MemoryStream | undefined {
    return this.streams.find(({ options }) => options.name === name);
  }
}

function isFor({ filters, from }: Consumer, message: StoredMessage): boolean {
  return message.at >= from && (filters.length === 0 || filters.some((filter) => subjectMatches(filter, message.subject)));
}

/** As far as a literal or a wider filter goes. */
function overlaps(filter: string, wanted: string): boolean {
  return subjectMatches(filter, wanted) || subjectMatches(wanted, filter);
}

export function headerOf(headers: string, name: string): string | undefined {
  const start = headers.indexOf(`\r\n${name}: `);
  if (start < 0) return undefined;
  const value = start + name.length + 4;
  return headers.slice(value, headers.indexOf("\r\n", value));
}

function iso(wall: WallMillis): string {
  return new Date(wall).toISOString();
}
