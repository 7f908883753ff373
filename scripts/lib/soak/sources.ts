// What speaks into the daemon under soak, each reading with a number of its own: MQTT devices, NATS clients, serial sensors.

import { connect, headers, type NatsConnection } from "@nats-io/transport-node";
import mqtt, { type MqttClient } from "mqtt";
import type { Ledger } from "../demo/ledger.ts";
import { laySerialCable, type SerialCable, SerialSensor } from "../demo/serial-sensor.ts";

export interface Login {
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** Bytes of a device's reading. */
const READING_BYTES = 200;
const SAFE_TIMEOUT_MS = 10_000;

function reading(n: number): string {
  const text = `{"n":${n},"co2":${Math.round(640 + 160 * Math.sin(n / 90))},"note":""}`;
  return text.replace('""', `"${".".repeat(Math.max(0, READING_BYTES - text.length))}"`);
}

/** So many MQTT devices, each with one reading a second, evenly spread over it. */
export class Devices implements AsyncDisposable {
  readonly #clients: MqttClient[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #ledger: Ledger;
  #isSilent = false;
  #given = 0;
  #acknowledged = 0;

  static async start(login: Login, topics: readonly string[], ledger: Ledger, onFault: (why: Error) => void): Promise<Devices> {
    const devices = new Devices(topics, ledger, onFault);
    for (const [index] of topics.entries()) {
      const { port, user: username, password } = login;
      const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { username, password, clientId: `soak-${index}` });
      client.on("error", onFault);
      devices.#clients.push(client);
    }
    return devices;
  }

  private constructor(topics: readonly string[], ledger: Ledger, onFault: (why: Error) => void) {
    this.#ledger = ledger;
    this.#timer = setInterval(() => {
      const index = this.#given % topics.length;
      const client = this.#clients[index];
      if (client === undefined || this.#isSilent) return;
      this.#given += 1;
      const n = this.#given;
      client.publish(topics[index]!, reading(n), { qos: 1 }, (error) => {
        if (error) onFault(new Error(`reading ${n} of an MQTT device was not acknowledged: ${error.message}`));
        else {
          this.#acknowledged += 1;
          this.#ledger.published(n);
        }
      });
    }, 1000 / topics.length);
  }

  get unacknowledged(): number {
    return this.#given - this.#acknowledged;
  }

  fallSilent(): void {
    this.#isSilent = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#clients.map((client) => client.endAsync(true)));
  }
}

/** Two local NATS clients: one publishes with `Petiole-Ack: safe` once a second, the other listens. */
export class NatsClients implements AsyncDisposable {
  readonly #publisher: NatsConnection;
  readonly #listener: NatsConnection;
  readonly #timer: NodeJS.Timeout;
  #given = 0;
  #acknowledged = 0;

  static async start(login: Login, subject: string, ledger: Ledger, onFault: (why: Error) => void): Promise<NatsClients> {
    const { port, user, password: pass } = login;
    const dial = () => connect({ servers: `127.0.0.1:${port}`, user, pass, reconnect: false });
    return new NatsClients(await dial(), await dial(), subject, ledger, onFault);
  }

  private constructor(
    publisher: NatsConnection,
    listener: NatsConnection,
    subject: string,
    ledger: Ledger,
    onFault: (why: Error) => void,
  ) {
    this.#publisher = publisher;
    this.#listener = listener;
    listener.subscribe(subject, { callback: (error) => void (error && onFault(error)) });
    const safe = headers();
    safe.set("Petiole-Ack", "safe");
    this.#timer = setInterval(() => {
      const n = ++this.#given;
      publisher.request(subject, reading(n), { timeout: SAFE_TIMEOUT_MS, headers: safe }).then(
        () => {
          this.#acknowledged += 1;
          ledger.published(n);
        },
        (cause: Error) => onFault(new Error(`reading ${n} of a NATS client was not acknowledged: ${cause.message}`, { cause })),
      );
    }, 1000);
  }

  get unacknowledged(): number {
    return this.#given - this.#acknowledged;
  }

  fallSilent(): void {
    clearInterval(this.#timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.fallSilent();
    await Promise.all([this.#publisher.close(), this.#listener.close()]);
  }
}

/** A serial sensor that can be unplugged: its cable goes, and with it its device file. */
export class Sensor implements AsyncDisposable {
  readonly path: string;
  readonly #place: { readonly folder: string; readonly signal: AbortSignal; readonly onFault: (why: Error) => void };
  #plugged: { readonly cable: SerialCable; readonly out: AbortController; sensor?: SerialSensor } | undefined;

  constructor(folder: string, signal: AbortSignal, onFault: (why: Error) => void) {
    this.path = `${folder}/ttyUSB0`;
    this.#place = { folder, signal, onFault };
  }

  async plugIn(): Promise<void> {
    const out = new AbortController();
    const signal = AbortSignal.any([this.#place.signal, out.signal]);
    this.#plugged = { cable: await laySerialCable(this.#place.folder, signal, this.#place.onFault), out };
  }

  /** For when the port is open: opening throws away what was sent before. */
  async speak(rate: number): Promise<void> {
    const { cable, out } = this.#plugged!;
    const signal = AbortSignal.any([this.#place.signal, out.signal]);
    this.#plugged!.sensor = await SerialSensor.start(cable.far, rate, signal, this.#place.onFault);
  }

  /** No more readings; tells how many it wrote since it spoke. */
  async fallSilent(): Promise<number> {
    return (await this.#plugged?.sensor?.stop()) ?? 0;
  }

  async unplug(): Promise<void> {
    const plugged = this.#plugged;
    this.#plugged = undefined;
    plugged?.out.abort();
    await plugged?.sensor?.[Symbol.asyncDispose]();
    await plugged?.cable[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unplug();
  }
}
