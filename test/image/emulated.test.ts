// The image of the other architecture under qemu's user emulation: what only that processor's files can show. Rights, read-only root and
// packet filter are proved natively (run.test.ts): the emulator cannot carry nft's words to the kernel, and the rest is the same script.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { ARCHITECTURES, ownArchitecture } from "../../scripts/lib/image/architecture.ts";
import { findQemu } from "../../scripts/lib/image/qemu.ts";
import { daemonCommand } from "../../scripts/lib/node-flags.ts";
import { cannotMakeNamespaces, NetNamespaces } from "../support/net-namespaces.ts";
import { type Exit, SpawnedProcess } from "../support/processes.ts";
import { Pty } from "../support/pty.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { builtImage } from "./support/built-image.ts";
import { boxSettings, Stranger } from "./support/stranger.ts";

const architecture = ownArchitecture().name === "amd64" ? ARCHITECTURES.arm64 : ARCHITECTURES.amd64;
const qemu = await findQemu(architecture, (line) => process.stderr.write(`${line}\n`));
const skip = cannotMakeNamespaces ?? (qemu === undefined ? `no ${architecture.qemu} from line 10 up on this machine` : false);
const image = skip === false ? await builtImage(architecture) : undefined;

/** Emulated, everything takes some twenty times as long. */
const PATIENCE_MS = 120_000;

/** The daemon of the image, its libraries and all, in the box's network. */
async function start(net: NetNamespaces, dataDir: string): Promise<SpawnedProcess> {
  const [command, ...args] = net.command("box");
  const program = daemonCommand(path.join(image!.root, "usr/bin/node"), path.join(image!.root, "opt/petiole/petiole.js"));
  const at = program.findIndex((word) => word.endsWith("/node"));
  const emulated = ["env", ...program.slice(0, at), qemu!, "-L", image!.root, ...program.slice(at)];
  const daemon = await SpawnedProcess.start(command, [...args, ...emulated, "run", "--data", dataDir]);
  await daemon.says(/ running /, PATIENCE_MS);
  return daemon;
}

async function stop(daemon: SpawnedProcess): Promise<Exit> {
  daemon.signal("SIGTERM");
  return await daemon.exited;
}

test("emulated, the image serves MQTT, reads a serial port, links, keeps what comes while the hub is gone, stops and delivers", {
  skip,
}, async () => {
  await using folder = await tempFolder("petiole-emulated");
  await using net = await NetNamespaces.make();
  await using stranger = await Stranger.come(net);
  await using sensor = await Pty.open();
  const framing = { type: "line" };
  const bench = {
    name: "bench",
    match: { path: sensor.path },
    baud_rate: 250_000,
    framing,
    decode: { type: "text" },
    subject: "sensors.bench",
  };
  await fs.writeFile(path.join(folder.path, "settings.json"), boxSettings({ serial: [bench], monitor: null }));
  {
    await using daemon = await start(net, folder.path);
    await stranger.hearsLeaf();
    await daemon.says(/port bench is open/, PATIENCE_MS);
    sensor.write("perhaps half a line\n21.5\n");
    await stranger.hears("sensors.bench", "21.5");
    await stranger.mqttConnect();
    await stranger.mqttPublish("sensors/7/t", "first");
    await stranger.hears("sensors.7.t", "first");
    await stranger.stopHub();
    await stranger.mqttPublish("sensors/7/t", "kept");
    await stranger.mqttEnd();
    assert.deepEqual(await stop(daemon), { code: 0, signal: null });
  }
  await using _daemon = await start(net, folder.path);
  await stranger.startHub();
  await stranger.hears("sensors.7.t", "kept");
});
