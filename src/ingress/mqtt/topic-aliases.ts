// Topic aliases of MQTT 5.0: a number for a topic that was named once on this connection. They end with the connection.
// Source: OASIS MQTT 5.0 §3.3.2.3.4.

import { protocolError } from "./errors.ts";
import { REASON } from "./reason-codes.ts";
import type { TopicFault } from "./topic.ts";

/** An alias takes 3 bytes more each time; topics shorter than this gain too little. */
const PAYS_FROM = 8;

/** What a client's aliases stand for. */
export class InboundAliases {
  readonly #maximum: number;
  /** By alias; index 0 is never used. Made with the first alias: most clients have none. */
  #subjects: (string | TopicFault)[] = [];

  /** `maximum`: the topic alias maximum we told the client. */
  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  /** The topic of this PUBLISH, mapped, is called `alias` from now on. Throws on an alias out of range [MQTT5-3.3.2-9]. */
  remember(alias: number, subject: string | TopicFault): void {
    this.#check(alias);
    this.#subjects[alias] = subject;
  }

  /** What a PUBLISH with this alias and no topic is about. Throws when nothing was ever called so. */
  resolve(alias: number): string | TopicFault {
    this.#check(alias);
    const subject = this.#subjects[alias];
    if (subject === undefined)
      throw protocolError(`a PUBLISH has topic alias ${alias} and no topic, but that alias stands for nothing yet`);
    return subject;
  }

  #check(alias: number): void {
    if (alias > 0 && alias <= this.#maximum) return;
    throw protocolError(`a PUBLISH has topic alias ${alias}, the maximum is ${this.#maximum}`, REASON.topicAliasInvalid);
  }
}

/** Aliases we give to topics on their way to a client: the least recently used one makes room. */
export class OutboundAliases {
  /** Of the last `pick`; 0: none. */
  alias = 0;
  /** Of the last `pick`: the client knows the alias already, the topic is left out. */
  isKnown = false;
  readonly #maximum: number;
  readonly #bySubject = new Map<string, number>();

  /** `maximum`: the lower of what the client takes and what we want to remember. */
  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  /** Decides how the topic of `subject` is written. Call it only for a PUBLISH that is then sent, and in the order of sending. */
  pick(subject: string): void {
    const known = this.#bySubject.get(subject);
    this.isKnown = known !== undefined;
    this.alias = 0;
    if (known === undefined && (this.#maximum === 0 || subject.length <= PAYS_FROM)) return;
    this.alias = known ?? this.#free();
    if (known !== undefined) this.#bySubject.delete(subject); // to the young end
    this.#bySubject.set(subject, this.alias);
  }

  #free(): number {
    const size = this.#bySubject.size;
    if (size < this.#maximum) return size + 1;
    const [oldest, alias] = this.#bySubject.entries().next().value!;
    this.#bySubject.delete(oldest);
    return alias;
  }
}
