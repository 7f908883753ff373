// Stock MQTT clients: mosquitto_pub and mosquitto_sub as the processes they are.

import { SpawnedProcess } from "./processes.ts";

export interface Broker {
  readonly port: number;
  readonly user?: string;
  readonly password?: string;
  readonly clientId?: string;
  /** Default: 3.1.1. */
  readonly version?: "mqttv31" | "mqttv311" | "mqttv5";
  /** Any further arguments of the program. */
  readonly args?: readonly string[];
}

export interface PublishOptions {
  readonly topic: string;
  readonly message: string;
  readonly qos?: 0 | 1 | 2;
  readonly retain?: boolean;
}

export interface ReceivedMessage {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: number;
  readonly retain: boolean;
}

/** Publishes one message; resolves when the broker has acknowledged it as its QoS demands, rejects with what the client said. */
export async function mosquittoPub(broker: Broker, { topic, message, qos = 0, retain = false }: PublishOptions): Promise<void> {
  const args = ["-t", topic, "-m", message, "-q", String(qos), ...(retain ? ["-r"] : [])];
  await using client = await SpawnedProcess.start("mosquitto_pub", [...brokerArgs(broker), ...args]);
  client.endInput();
  const { code, signal } = await client.exited;
  if (code !== 0) throw new Error(`mosquitto_pub of ${topic} ended with ${signal ?? `code ${code}`}: ${client.output.trim()}`);
}

/** Publishes each line on its own, over one connection, then waits until all are acknowledged. */
export async function mosquittoPubLines(
  broker: Broker,
  topic: string,
  lines: readonly string[],
  qos: 0 | 1 | 2 = 0,
): Promise<void> {
  await using client = await SpawnedProcess.start("mosquitto_pub", [...brokerArgs(broker), "-t", topic, "-l", "-q", String(qos)]);
  client.write(lines.map((line) => `${line}\n`).join(""));
  client.endInput();
  const { code, signal } = await client.exited;
  if (code !== 0) throw new Error(`mosquitto_pub -l of ${topic} ended with ${signal ?? `code ${code}`}: ${client.output.trim()}`);
}

/** Marks our lines among those of `-d`. */
const MESSAGE_LINE = /^petiole: (\d) (\d) ([0-9a-f]*) (.*)$/gm;

/** A mosquitto_sub that has its subscriptions acknowledged, and keeps what arrives. */
export class MosquittoSub implements AsyncDisposable {
  readonly #process: SpawnedProcess;

  static async start(broker: Broker, topicFilters: readonly string[], qos: 0 | 1 | 2 = 0): Promise<MosquittoSub> {
    const args = ["-d", "-q", String(qos), "-F", "petiole: %q %r %x %t", ...topicFilters.flatMap((filter) => ["-t", filter])];
    // stdbuf: the client's own words sit in a full buffer otherwise, and we would wait for "Subscribed" for ever.
    const client = await SpawnedProcess.start("stdbuf", ["-oL", "mosquitto_sub", ...brokerArgs(broker), ...args]);
    try {
      await client.says(/Subscribed \(mid: /);
    } catch (error) {
      await client.stop();
      throw error;
    }
    return new MosquittoSub(client);
  }

  private constructor(client: SpawnedProcess) {
    this.#process = client;
  }

  /** All that has arrived, oldest first. */
  get messages(): ReceivedMessage[] {
    return [...this.#process.stdout.matchAll(MESSAGE_LINE)].map(([, qos, retain, hex, topic]) => ({
      topic: topic!,
      payload: Buffer.from(hex!, "hex"),
      qos: Number(qos),
      retain: retain === "1",
    }));
  }

  /** Resolves when at least so many have arrived. */
  async receives(count: number, timeoutMs?: number): Promise<ReceivedMessage[]> {
    const enough = () => (this.messages.length >= count ? this.messages : undefined);
    return await this.#process.when(enough, `to receive ${count} messages`, timeoutMs);
  }

  /** Ends it at once, without a DISCONNECT: its will is due. */
  async kill(): Promise<void> {
    await this.#process.kill();
  }

  /** Ends it with a DISCONNECT. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop();
  }
}

function brokerArgs({ port, user, password, clientId, version = "mqttv311", args = [] }: Broker): string[] {
  return [
    ...["-h", "127.0.0.1", "-p", String(port), "-V", version],
    ...(user === undefined ? [] : ["-u", user]),
    ...(password === undefined ? [] : ["-P", password]),
    ...(clientId === undefined ? [] : ["-i", clientId]),
    ...args,
  ];
}
