// $SYS/broker/…: what the broker says of itself, to MQTT clients that subscribed to it. Topics and texts are mosquitto's.
//
//   SUBSCRIBE $SYS/broker/# ─┬─▶ match(filter)   all figures of now, as retained messages
//                            └─▶ watch(filter)   every sys_interval, those that changed
//
// Nothing of it goes through the router: no other door, no hub, no outbox ever sees it, and nobody can publish there. Nothing is
// computed and no timer runs while nobody watches. Whoever is told asks its user's permissions, on the concrete subject, as for any
// retained or live message. Tests: test/unit/ingress/mqtt/sys-topics.test.ts

import type { Clock, Millis } from "#base/clock.ts";
import { subjectMatches } from "#core/subject.ts";
import { LOAD_MINUTES, LoadAverage } from "./load-average.ts";
import type { KeptMessage } from "./message.ts";
import { LOAD_TOPICS, PLAIN_TOPICS, type SysFigures } from "./sys-figures.ts";

/** Filters on it and on what stands under it are for `SysTopics` and not for the router. */
const SUBJECT_ROOT = "$SYS";
const NOTHING = Buffer.alloc(0);

export interface SysTopicsDeps {
  readonly clock: Pick<Clock, "now" | "every">;
  /** `petiole 1.2.3`. */
  readonly version: string;
  /** Milliseconds between two tellings; null: there are no such topics. */
  readonly interval: Millis | null;
  figures(): SysFigures;
}

interface Watch {
  readonly filter: string;
  readonly onMessage: (message: KeptMessage) => void;
}

export class SysTopics implements Disposable {
  readonly #deps: SysTopicsDeps;
  readonly #startedAt: Millis;
  readonly #loads: readonly LoadAverage[];
  readonly #watches = new Set<Watch>();
  /** By subject, as they were told last. */
  #told = new Map<string, string>();
  #ticker: Disposable | undefined;

  constructor(deps: SysTopicsDeps) {
    this.#deps = deps;
    this.#startedAt = deps.clock.now();
    this.#loads = LOAD_TOPICS.map(() => new LoadAverage(this.#startedAt));
  }

  /** Whether a subject filter, as MQTT clients' filters are mapped, is one of these topics' and none of the router's. */
  isOurs(filter: string): boolean {
    return filter === SUBJECT_ROOT || filter.startsWith(`${SUBJECT_ROOT}.`);
  }

  /** What stands under the filter now, as retained messages of QoS 0; for SUBSCRIBE, where its retain handling wants them. */
  *match(filter: string): Iterable<KeptMessage> {
    if (this.#deps.interval === null) return;
    for (const [subject, text] of this.#texts()) if (subjectMatches(filter, subject)) yield messageOf(subject, text, true);
  }

  /** From now on until disposed, what changes under the filter. */
  watch(filter: string, onMessage: (message: KeptMessage) => void): Disposable {
    const { clock, interval } = this.#deps;
    if (interval === null) return { [Symbol.dispose]: () => undefined };
    const watch = { filter, onMessage };
    if (this.#watches.size === 0) {
      this.#told = new Map(this.#texts());
      this.#ticker = clock.every(interval, () => this.#tell());
    }
    this.#watches.add(watch);
    return {
      [Symbol.dispose]: () => {
        this.#watches.delete(watch);
        if (this.#watches.size === 0) this.#rest();
      },
    };
  }

  [Symbol.dispose](): void {
    this.#watches.clear();
    this.#rest();
  }

  #rest(): void {
    this.#ticker?.[Symbol.dispose]();
    this.#ticker = undefined;
    this.#told.clear();
  }

  #tell(): void {
    for (const [subject, text] of this.#texts()) {
      if (this.#told.get(subject) === text) continue;
      this.#told.set(subject, text);
      const message = messageOf(subject, text, false);
      for (const { filter, onMessage } of [...this.#watches]) if (subjectMatches(filter, subject)) onMessage(message);
    }
  }

  #texts(): readonly (readonly [subject: string, text: string])[] {
    const { clock, version } = this.#deps;
    const figures = this.#deps.figures();
    const now = clock.now();
    const texts: [string, string][] = [
      [subjectOf("version"), version],
      [subjectOf("uptime"), `${Math.floor((now - this.#startedAt) / 1000)} seconds`],
    ];
    for (const [topic, read] of PLAIN_TOPICS) {
      const figure = read(figures);
      if (figure !== undefined) texts.push([subjectOf(topic), String(figure)]);
    }
    for (const [i, [topic, read]] of LOAD_TOPICS.entries()) {
      const total = read(figures);
      if (total === undefined) continue;
      for (const [j, average] of this.#loads[i]!.look(total, now).entries())
        texts.push([subjectOf(`${topic}/${LOAD_MINUTES[j]}min`), average.toFixed(2)]);
    }
    return texts;
  }
}

/** As topic.ts maps it: a level is a token, a space in it is `/s`. */
function subjectOf(topic: string): string {
  return `${SUBJECT_ROOT}.broker.${topic.replaceAll("/", ".").replaceAll(" ", "/s")}`;
}

function messageOf(subject: string, text: string, isRetained: boolean): KeptMessage {
  return { subject, payload: Buffer.from(text), headers: NOTHING, reply: "", qos: 0, isRetained, deadlineWall: 0 };
}
