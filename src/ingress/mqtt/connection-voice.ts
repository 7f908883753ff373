// What the log says of one connection: who it is, how it ended, and what its owner should know, each at most once in a while.

import type { Broker } from "./broker.ts";
import type { Ending } from "./life.ts";
import type { Session } from "./session.ts";

/** Endings that are everyday life. */
const QUIET: ReadonlySet<Ending> = new Set(["disconnect", "disconnect-with-will", "gone", "shutdown"]);

export class ConnectionVoice {
  /** From CONNACK on. */
  session: Session | undefined;
  readonly #broker: Pick<Broker, "log" | "voice">;
  readonly #address: string;

  constructor(broker: Pick<Broker, "log" | "voice">, address: string) {
    this.#broker = broker;
    this.#address = address;
  }

  begin(facts: Readonly<Record<string, unknown>>): void {
    this.#broker.log.info("client connected", { ...this.#facts(), ...facts });
  }

  end(ending: Ending, words: string): void {
    const { log, voice } = this.#broker;
    const facts = { ...this.#facts(), ending };
    if (this.session === undefined && QUIET.has(ending)) log.debug(`connection closed before CONNECT: ${words}`, facts);
    else if (QUIET.has(ending)) log.info(`client disconnected: ${words}`, facts);
    else if (this.session === undefined) voice.warn(`${ending} ${this.#address}`, `MQTT connection refused: ${words}`, facts);
    else voice.warn(`${ending} ${this.session.clientId}`, `client cut off: ${words}`, facts);
  }

  tell(about: string, message: string, facts: Readonly<Record<string, unknown>>): void {
    this.#broker.voice.warn(`${about} ${this.session?.clientId}`, message, { ...this.#facts(), ...facts });
  }

  #facts(): Readonly<Record<string, unknown>> {
    return { client: this.session?.clientId, user: this.session?.user.name, address: this.#address };
  }
}
