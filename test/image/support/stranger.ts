// The other machine on the local network: a hub, somebody who listens there, and an MQTT device. It sits in the peer's namespace.
//
//   box 10.77.0.1                          peer 10.77.0.2
//   petiole ── leaf ─────────────────────▶ nats-server 7422 ── APP ──▶ listener
//   petiole 1883 ◀──────────────────────── MQTT device

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { findNatsServer } from "../../../scripts/lib/nats-server.ts";
import type { KeyPair } from "../../support/certificates.ts";
import type { NetNamespaces } from "../../support/net-namespaces.ts";
import { SpawnedProcess } from "../../support/processes.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const PROGRAM = path.join(import.meta.dirname, "stranger-program.ts");
const PATIENCE_MS = 60_000;

export const DEVICE = { user: "device-1", password: "device-password" } as const;

/** `tls`: the hub's own certificate and key; absent: leaf connections in clear. */
function hubConfig(tls: KeyPair | undefined): string {
  const secure = tls === undefined ? "" : `, tls { cert_file: "${tls.cert}", key_file: "${tls.key}" }`;
  return `
listen: "10.77.0.2:4222"
server_name: hub
leafnodes { listen: "10.77.0.2:7422"${secure} }
accounts { APP { users: [ { user: app, password: app-password }, { user: leaf, password: leaf-password } ] } }
`;
}

/** What a box on that network is told. Laid over: `more`. */
export function boxSettings(more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    server_name: "gw-image",
    accounts: [{ name: "EDGE", users: [DEVICE] }],
    leafnodes: {
      remotes: [
        {
          urls: ["nats-leaf://10.77.0.2:7422"],
          account: "EDGE",
          user: "leaf",
          password: "leaf-password",
          ignore_discovered_servers: true,
          reconnect: { min: "50ms", max: "500ms" },
        },
      ],
    },
    mqtt: { listen: "0.0.0.0:1883" },
    outbox: { free_reserve: "0B", rules: [{ subjects: [">"], class: "telemetry", keep: "always" }] },
    ...more,
  });
}

export class Stranger implements AsyncDisposable {
  readonly #scope = new AsyncDisposableStack();
  readonly #command: readonly string[];
  readonly #folder: string;
  readonly #program: SpawnedProcess;
  #hub: SpawnedProcess | undefined;

  static async come(net: NetNamespaces, tls?: KeyPair): Promise<Stranger> {
    await using scope = new AsyncDisposableStack();
    const folder = scope.use(await tempFolder("petiole-stranger"));
    await fs.writeFile(path.join(folder.path, "hub.conf"), hubConfig(tls));
    const [command, ...args] = net.command("peer");
    const program = scope.use(await SpawnedProcess.start(command, [...args, process.execPath, PROGRAM]));
    const stranger = new Stranger(net.command("peer"), folder.path, program);
    stranger.#scope.use(scope.move());
    try {
      await stranger.startHub();
      await stranger.#asks("hub connect", /^hub connected$/m);
      return stranger;
    } catch (error) {
      await stranger[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(command: readonly string[], folder: string, program: SpawnedProcess) {
    this.#command = command;
    this.#folder = folder;
    this.#program = program;
  }

  /** On the same ports as before. */
  async startHub(): Promise<void> {
    const { path: binary } = await findNatsServer("2.10", { say: () => undefined });
    const [command = "", ...args] = this.#command;
    this.#hub = await SpawnedProcess.start(command, [...args, binary, "-c", path.join(this.#folder, "hub.conf")]);
    await this.#hub.says(/Server is ready/);
  }

  /** Resolves when a leaf has linked to the hub that runs now. */
  async hearsLeaf(): Promise<void> {
    await this.#hub!.says(/Leafnode connection created/, PATIENCE_MS);
  }

  async stopHub(): Promise<void> {
    await this.#hub?.kill();
  }

  async mqttConnect(): Promise<void> {
    await this.#asks(`mqtt connect ${DEVICE.user} ${DEVICE.password}`, /^mqtt connected$/m);
  }

  /** QoS 1; resolves when the box has acknowledged it. */
  async mqttPublish(topic: string, word: string): Promise<void> {
    await this.#asks(`mqtt publish ${topic} ${word}`, new RegExp(`^acknowledged ${word}$`, "m"));
  }

  async mqttEnd(): Promise<void> {
    await this.#asks("mqtt end", /^mqtt ended$/m);
  }

  /** Resolves when the listener at the hub has got that. */
  async hears(subject: string, word: string): Promise<void> {
    await this.#program.says(new RegExp(`^got ${subject.replaceAll(".", "\\.")} ${word}$`, "m"), PATIENCE_MS);
  }

  /** When that was measured, by its own header. */
  async measured(subject: string, word: string): Promise<string> {
    const line = new RegExp(`^time ${subject.replaceAll(".", "\\.")} ${word} (\\S+)$`, "m");
    return (await this.#program.says(line, PATIENCE_MS))[1]!;
  }

  /** Somebody at the hub says that. */
  async hubPublish(subject: string, word: string): Promise<void> {
    await this.#asks(`hub publish ${subject} ${word}`, new RegExp(`^published ${word}$`, "m"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#program.endInput();
    await this.stopHub();
    await this.#scope.disposeAsync();
  }

  async #asks(line: string, answer: RegExp): Promise<void> {
    this.#program.write(`${line}\n`);
    await this.#program.says(answer, PATIENCE_MS);
  }
}
