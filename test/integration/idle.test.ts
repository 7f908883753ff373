// A box at rest writes nothing: the daemon with its link up, an MQTT client that keeps alive, the page, the monitor and the host's own
// readings, on an ext4 of its own on a loop device, so that every sector is seen, the file system's own included.
//
// Half a minute in every run. The ten minutes that a release is measured by: PETIOLE_IDLE_SECONDS=600 node --test test/integration/idle.test.ts

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { freePorts } from "../support/free-ports.ts";
import { LEAF, startHub } from "../support/hub.ts";
import { readIo, SyncWatch } from "../support/io-counters.ts";
import { cannotMount, LoopDisk } from "../support/loop-disk.ts";
import { Daemon, mqttDevice } from "../support/spoke.ts";

const skip = cannotMount ?? false;
const seconds = Number(process.env["PETIOLE_IDLE_SECONDS"] ?? 30);
/** Until what a start writes is written: which boot this is, what the hub listens to. */
const SETTLE_MS = 3_000;

test("at rest with the link up not one byte is written, and nothing is synced", {
  skip,
  timeout: (seconds + 120) * 1_000,
}, async (t) => {
  await using hub = await startHub({ version: "2.10" });
  await using disk = await LoopDisk.mount({ type: "ext4", mebibytes: 64 });
  const [mqttPort, webPort, monitorPort] = await freePorts(3);
  await using daemon = await Daemon.start({
    dataDir: disk.path,
    mqttPort: mqttPort!,
    remote: { urls: [hub.leafUrl], user: LEAF.user, password: LEAF.password },
    settings: {
      web: { listen: `127.0.0.1:${webPort}` },
      monitor: { listen: `127.0.0.1:${monitorPort}` },
      host: { interval: "5s" },
    },
  });
  await daemon.until("the link is ready", ({ remotes }) => remotes[0]!.link.state === "ready");
  assert.equal(await daemon.stop(), 0); // what is remembered once, such as the hub's interest, is remembered now
  await daemon.restart();
  await daemon.until("the link is ready", ({ remotes }) => remotes[0]!.link.state === "ready");
  await using _device = await mqttDevice(mqttPort!, { keepalive: 5 });
  await pause(SETTLE_MS);
  await disk.sync();
  const before = { device: await disk.figures(), process: await readIo(daemon.pid) };
  await using watch = await SyncWatch.of(daemon.pid);
  await pause(seconds * 1_000);
  const after = { device: await disk.figures(), process: await readIo(daemon.pid) };
  const { bytes, fdatasync, fsync } = await watch.end();
  await disk.sync();
  const synced = await disk.figures();
  assert.equal(after.process.pageBytes - before.process.pageBytes, 0, "the process made no page of a file dirty");
  assert.deepEqual({ bytes, fdatasync, fsync }, { bytes: 0, fdatasync: 0, fsync: 0 });
  assert.equal(after.device.bytesWritten - before.device.bytesWritten, 0, "no sector of the disk was written");
  assert.equal(synced.bytesWritten - before.device.bytesWritten, 0, "and none waited to be");
  const { remotes } = await daemon.until("the link is still ready", () => true);
  assert.deepEqual([remotes[0]!.link.state, remotes[0]!.link.connects], ["ready", 1]);
  const sent = after.process.writtenBytes - before.process.writtenBytes;
  t.diagnostic(`${seconds} s: 0 bytes to the disk, 0 syncs; ${sent} bytes to sockets`);
});
