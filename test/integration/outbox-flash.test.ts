// What the outbox costs the card: nothing while the link is healthy, one sync a commit interval while it is not.
//
// The data directory is an ext4 of its own on a loop device, so the device's counters show every sector, the file system's own included.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { freePorts } from "../support/free-ports.ts";
import { LEAF, startHub } from "../support/hub.ts";
import { readIo, SyncWatch } from "../support/io-counters.ts";
import { cannotMount, LoopDisk } from "../support/loop-disk.ts";
import { Daemon, mqttDevice } from "../support/spoke.ts";

const MESSAGES = 4_000;
const INFLIGHT = 40;
const PACE = 500;
const TOPIC = "sensors/device-1";
const PAYLOAD_BYTES = 120;
const PACED_SECONDS = 4;
const COMMIT_INTERVAL_MS = 25;
const skip = cannotMount ?? false;

for (const version of TESTED_LINES) {
  test(`hub ${version}: a healthy link writes not one byte to flash, however much is published`, { skip }, async (t) => {
    await using hub = await startHub({ version });
    const nats = await hub.connect();
    let arrived = 0;
    nats.subscribe("sensors.>", { callback: () => void arrived++ });
    await nats.flush();
    await using disk = await LoopDisk.mount({ type: "ext4", mebibytes: 64 });
    const [mqttPort] = await freePorts(1);
    await using daemon = await Daemon.start({
      dataDir: disk.path,
      mqttPort: mqttPort!,
      remote: { urls: [hub.leafUrl], user: LEAF.user, password: LEAF.password },
      // Healthy is a hub that answers within the interval. On a machine that is busy with other tests that may take a while.
      settings: { outbox: { free_reserve: "0B", commit_interval: "2s" } },
    });
    await daemon.until("the link is ready", ({ remotes }) => remotes[0]!.link.state === "ready");
    assert.equal(await daemon.stop(), 0); // what is remembered once, such as the hub's interest, is remembered now
    await daemon.restart();
    await daemon.until("the link is ready", ({ remotes }) => remotes[0]!.link.state === "ready");
    await using device = await mqttDevice(mqttPort!);
    await publish(device, 100);
    await disk.sync();
    const before = { device: await disk.figures(), process: await readIo(daemon.pid) };
    await publish(device, MESSAGES);
    const after = { process: await readIo(daemon.pid) };
    await disk.sync();
    assert.equal(after.process.pageBytes - before.process.pageBytes, 0, "the process made no page of a file dirty");
    assert.equal((await disk.figures()).bytesWritten - before.device.bytesWritten, 0, "no sector of the disk was written");
    const { remotes } = await daemon.until("all is confirmed", ({ remotes }) => remotes[0]!.outbox.depth === 0);
    assert.deepEqual([remotes[0]!.outbox.commits, remotes[0]!.outbox.flash_bytes], [0, 0]);
    await nats.flush();
    assert.equal(arrived, MESSAGES + 100);
    t.diagnostic(`${MESSAGES} messages of QoS 1 acknowledged, 0 bytes written`);
    await nats.close();
  });
}

test(`with the link down, ${PACE} messages a second cost one fdatasync a commit interval and hardly more bytes than they have`, {
  skip,
}, async (t) => {
  await using disk = await LoopDisk.mount({ type: "ext4", mebibytes: 64 });
  const [mqttPort, nobody] = await freePorts(2);
  await using daemon = await Daemon.start({
    dataDir: disk.path,
    mqttPort: mqttPort!,
    remote: { urls: [`nats-leaf://127.0.0.1:${nobody}`], reconnect: { min: "10s", max: "60s" } },
    settings: { outbox: { free_reserve: "0B", commit_interval: `${COMMIT_INTERVAL_MS}ms` } },
  });
  await using device = await mqttDevice(mqttPort!);
  await pace(device, 0.5); // the segment is born
  await disk.sync();
  const { remotes: atFirst } = await daemon.until("all is on flash", ({ remotes }) => remotes[0]!.outbox.staged_bytes === 0);
  const before = { outbox: atFirst[0]!.outbox, device: await disk.figures(), process: await readIo(daemon.pid) };
  await using watch = await SyncWatch.of(daemon.pid);
  const startedAt = performance.now();
  const messages = await pace(device, PACED_SECONDS);
  const elapsedMs = performance.now() - startedAt;
  const { remotes } = await daemon.until("all is on flash", ({ remotes }) => remotes[0]!.outbox.staged_bytes === 0);
  const seen = await watch.end();
  await disk.sync();
  const after = { outbox: remotes[0]!.outbox, device: await disk.figures(), process: await readIo(daemon.pid) };
  const payloadBytes = messages * PAYLOAD_BYTES;
  const commits = after.outbox.commits - before.outbox.commits;
  const share = (bytes: number) => (bytes / payloadBytes).toFixed(3);
  t.diagnostic(
    `${messages} messages in ${Math.round(elapsedMs)} ms: ${commits} commits, ${seen.fdatasync} fdatasync, ${seen.fsync} fsync`,
  );
  t.diagnostic(
    `per byte of payload: ${share(seen.bytes)} written to files, ${share(after.process.pageBytes - before.process.pageBytes)} in dirty pages, ${share(after.device.bytesWritten - before.device.bytesWritten)} at the device, ext4's own journal included`,
  );
  assert.equal(messages, PACE * PACED_SECONDS);
  assert.ok(commits > 0 && commits <= elapsedMs / COMMIT_INTERVAL_MS + 2, `${commits} commits in ${elapsedMs} ms`);
  assert.equal(seen.fdatasync, commits, "one fdatasync for each commit");
  assert.ok(seen.fsync <= 2, `${seen.fsync} fsync: only the birth of a segment needs one, of its folder`);
  assert.ok(seen.bytes / payloadBytes <= 1.15, `${share(seen.bytes)} bytes written to files for each of payload`);
});

type Device = Awaited<ReturnType<typeof mqttDevice>>;

/** Resolves when all are acknowledged. */
async function publish(device: Device, count: number): Promise<void> {
  let left = count;
  await Promise.all(
    Array.from({ length: INFLIGHT }, async () => {
      while (left-- > 0) await device.publishAsync(TOPIC, randomBytes(PAYLOAD_BYTES), { qos: 1 });
    }),
  );
}

/** An open loop at PACE; resolves with the count once all are acknowledged. */
async function pace(device: Device, seconds: number): Promise<number> {
  const total = PACE * seconds;
  const acked: Promise<unknown>[] = [];
  for (const startedAt = performance.now(); acked.length < total; await sleep(2)) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) * PACE) / 1000));
    while (acked.length < due) acked.push(device.publishAsync(TOPIC, randomBytes(PAYLOAD_BYTES), { qos: 1 }));
  }
  await Promise.all(acked);
  return total;
}
