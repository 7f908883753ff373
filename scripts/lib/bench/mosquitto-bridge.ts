// mosquitto as the gateway: its bridge sends every topic to the MQTT port of a nats-server, over TLS. A hub of its own, because that
// port wants JetStream and the other hub has none.
//
//   devices (MQTT) ─▶ mosquitto ─▶ MQTT over TLS ─▶ nats-server ─▶ subscriber

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { freePorts } from "../../../test/support/free-ports.ts";
import { SpawnedProcess } from "../../../test/support/processes.ts";
import { tryCommand } from "../command.ts";
import {
  ACCOUNTS,
  ANY_HOST,
  appUser,
  leafCommand,
  leafUser,
  portOf,
  type Stage,
  type System,
  startNatsServer,
} from "./systems.ts";

/** Its version, such as "2.0.11"; undefined when it is not installed. */
export async function mosquittoVersion(): Promise<string | undefined> {
  const answer = await tryCommand("mosquitto", ["-h"]).catch(() => undefined); // not there
  return answer === undefined ? undefined : (/mosquitto version (\S+)/.exec(answer.output)?.[1] ?? "of unknown version");
}

export async function startBridge(stage: Stage): Promise<System> {
  await using scope = new AsyncDisposableStack();
  const hub = scope.use(await startBridgeHub(stage));
  const linkPort = await portOf(hub, /Listening for MQTT clients/);
  const clientPort = await portOf(hub, /Listening for client connections/);
  const [mqttPort] = await freePorts(1);
  const file = path.join(stage.folder, "mosquitto-bridge.conf");
  await fs.writeFile(file, bridgeConfig(stage, mqttPort!, linkPort));
  const broker = scope.use(await SpawnedProcess.start(...leafCommand(stage, "mosquitto", ["-v", "-c", file])));
  await broker.says(/mosquitto version \S+ running/);
  await broker.says(/Received CONNACK on connection/);
  const owned = scope.move();
  return {
    name: "mosquitto, bridge",
    pid: broker.pid,
    mqttPort: mqttPort!,
    workloads: ["qos0", "qos1", "paced"],
    hub: { clientPort, linkPort },
    puback: "once the message is in its memory (persistence off, the default; it has no setting that waits for the disk)",
    losses: async () => "",
    lastWords: () => broker.output.slice(-2_000),
    stop: async () => void (await broker.stop()),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function startBridgeHub({ cores, folder, natsServer, certs, line }: Stage): Promise<SpawnedProcess> {
  const account = ACCOUNTS.bridge;
  const config = {
    accounts: { [account]: { jetstream: "enabled", users: [leafUser(account), appUser(account)] } },
    jetstream: { store_dir: path.join(folder, "bridge-hub") },
    mqtt: {
      host: line === undefined ? "127.0.0.1" : ANY_HOST,
      port: -1,
      tls: { cert_file: certs.server.cert, key_file: certs.server.key },
    },
    max_pending: 512 * 1024 * 1024,
    write_deadline: "60s",
  };
  return await startNatsServer({ cores: cores.load, folder, natsServer }, "bridge-hub", config);
}

function bridgeConfig({ certs, line }: Stage, port: number, hubPort: number): string {
  const { user, password } = leafUser(ACCOUNTS.bridge);
  return [
    `listener ${port} 127.0.0.1`,
    "user root", // where it is root at all; any other user may not read our certificates
    "allow_anonymous true",
    "max_queued_messages 0",
    "log_type error",
    "log_type notice",
    "log_type debug",
    "connection hub",
    `address ${line?.hubHost ?? "127.0.0.1"}:${hubPort}`,
    `bridge_cafile ${certs.ca}`,
    `bridge_insecure ${line !== undefined}`, // the certificate is for this machine's own addresses
    "bridge_protocol_version mqttv311",
    "try_private false",
    "notifications false",
    "cleansession true",
    "remote_clientid bench-bridge",
    `remote_username ${user}`,
    `remote_password ${password}`,
    "restart_timeout 1",
    "topic # out 1",
    "",
  ].join("\n");
}
