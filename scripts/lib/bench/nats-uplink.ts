// `scripts/bench nats`, the uplink: what local clients publish, heard at a hub. The spoke and nats-server, each as a leaf node of one
// hub in an account of its own, TLS first and without compression.
//
//   load (raw clients) ──▶ leaf under test ──▶ hub ──▶ subscriber, in the load's process

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { SpawnedProcess } from "../../../test/support/processes.ts";
import { daemonCommand } from "../node-flags.ts";
import { pinned } from "./cores.ts";
import type { Far } from "./nats-load.ts";
import { ACCOUNTS, appUser, leafUser, type Stage } from "./systems.ts";

/** A local server and where at the hub its clients are heard. */
export interface UplinkPlan {
  readonly command: readonly [command: string, args: string[]];
  /** What it prints when it listens, with the port. */
  readonly says: RegExp;
  readonly far: Far;
}

export async function spokeWithUplink(stage: Stage, program: string, settings: object): Promise<UplinkPlan> {
  const dataDir = await fs.mkdtemp(path.join(stage.folder, "spoke-"));
  const remote = {
    urls: [`tls://127.0.0.1:${stage.hub.leafPort}`],
    ...leafUser(ACCOUNTS.spoke),
    tls: { handshake_first: true, ca_file: stage.certs.ca },
    compression: "off",
  };
  const linked = { ...settings, leafnodes: { remotes: [remote] }, outbox: { free_reserve: "0B" } };
  await fs.writeFile(path.join(dataDir, "settings.json"), JSON.stringify(linked));
  return {
    command: pinned(stage.cores.leaf, "env", daemonCommand(process.execPath, program, "run", "--data", dataDir)),
    says: /\srunning\s.* nats=127\.0\.0\.1:(\d+)/,
    far: farOf(stage, ACCOUNTS.spoke),
  };
}

export async function peerWithUplink(stage: Stage, config: object): Promise<UplinkPlan> {
  const { user, password } = leafUser(ACCOUNTS.peer);
  const remote = {
    url: `tls://${user}:${password}@127.0.0.1:${stage.hub.leafPort}`,
    compression: "off",
    tls: { ca_file: stage.certs.ca, handshake_first: true },
  };
  const file = path.join(stage.folder, "nats-leaf.json");
  await fs.writeFile(file, JSON.stringify({ server_name: "nats-leaf", ...config, leafnodes: { remotes: [remote] } }));
  return {
    command: pinned(stage.cores.leaf, stage.natsServer.path, ["--config", file]),
    says: /Listening for client connections on \S+:(\d+)/,
    far: farOf(stage, ACCOUNTS.peer),
  };
}

export async function start({ command, says }: UplinkPlan): Promise<{ readonly running: SpawnedProcess; readonly port: number }> {
  const running = await SpawnedProcess.start(...command);
  try {
    return { running, port: Number((await running.says(says))[1]) };
  } catch (error) {
    await running.stop();
    throw error;
  }
}

function farOf({ hub }: Stage, account: string): Far {
  return { port: hub.clientPort, ...appUser(account) };
}
