// The MQTT device: publishes readings with QoS 1 at a steady rate, and knows which of them were acknowledged.

import mqtt, { type MqttClient } from "mqtt";

export interface MqttDeviceOptions {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly topic: string;
  /** Readings a second. */
  readonly rate: number;
  /** The PUBACK for reading `n` came, so long after its PUBLISH. */
  onAcknowledged(n: number, ms: number): void;
  onFault(why: Error): void;
}

/** Readings under way at a time; a device whose memory is full waits for acknowledgements. */
const UNACKNOWLEDGED_MAX = 2_000;
const TICK_MS = 20;
/** Should the spoke itself have ended, that is the better explanation, and it comes within this time. */
const EXPLAIN_WITHIN_MS = 500;

export class MqttDevice implements AsyncDisposable {
  readonly #options: MqttDeviceOptions;
  readonly #client: MqttClient;
  readonly #startedAt = performance.now();
  readonly #timer: NodeJS.Timeout;
  #given = 0;
  #acknowledged = 0;
  #isClosing = false;

  /** Speaks at once. */
  static async start(options: MqttDeviceOptions): Promise<MqttDevice> {
    const { port, user: username, password } = options;
    const client = await mqtt.connectAsync(
      `mqtt://127.0.0.1:${port}`,
      { username, password, clientId: "greenhouse", reconnectPeriod: 0, connectTimeout: 10_000 },
      false,
    );
    return new MqttDevice(options, client);
  }

  private constructor(options: MqttDeviceOptions, client: MqttClient) {
    this.#options = options;
    this.#client = client;
    client.on("error", (cause) => options.onFault(new Error(`the MQTT device met a fault: ${cause.message}`, { cause })));
    client.on("close", () => {
      if (this.#isClosing) return;
      const why = new Error("the spoke closed the MQTT device's connection");
      setTimeout(() => options.onFault(why), EXPLAIN_WITHIN_MS).unref();
    });
    this.#timer = setInterval(() => this.#publishDue(), TICK_MS);
  }

  get unacknowledged(): number {
    return this.#given - this.#acknowledged;
  }

  /** No more readings; acknowledgements may still come. */
  fallSilent(): void {
    clearInterval(this.#timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true;
    this.fallSilent();
    await this.#client.endAsync(true);
  }

  #publishDue(): void {
    const due = Math.floor(((performance.now() - this.#startedAt) * this.#options.rate) / 1000);
    while (this.#given < due && this.unacknowledged < UNACKNOWLEDGED_MAX) this.#publish(++this.#given);
  }

  #publish(n: number): void {
    const sentAt = performance.now();
    this.#client.publish(this.#options.topic, reading(n), { qos: 1 }, (error) => {
      if (error) {
        if (!this.#isClosing)
          this.#options.onFault(new Error(`reading ${n} of the MQTT device was not acknowledged: ${error.message}`));
        return;
      }
      this.#acknowledged += 1;
      this.#options.onAcknowledged(n, performance.now() - sentAt);
    });
  }
}

function reading(n: number): string {
  const co2 = Math.round(640 + 160 * Math.sin(n / 90));
  const light = Math.round(21_000 + 9_000 * Math.cos(n / 140));
  return JSON.stringify({ co2, light, n });
}
