// The update lock on a real file, seen by another program: the file is there, and flock on it fails, exactly while we hold it.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { type LockFile, systemLockFile } from "#supervisor/lock-file.ts";
import { openUpdateLock } from "#supervisor/update-lock.ts";
import { tryCommand } from "../../scripts/lib/command.ts";
import { LEAF, startHub } from "../support/hub.ts";
import { startSpoke } from "../support/spoke.ts";
import { tempFolder } from "../support/temp-folder.ts";

const SEARCH = "/usr/sbin:/usr/bin:/sbin:/bin";

/** Whether another program would get the lock on the file. */
async function canLock(file: string): Promise<boolean> {
  return (await tryCommand("flock", ["-n", "-x", file, "true"])).code === 0;
}

test("while it is held the file is there and no other program gets its flock; after that there is no file", async () => {
  await using folder = await tempFolder("petiole-lock");
  const file = path.join(folder.path, "updates.lock");
  const lockFile = (await systemLockFile(file, SEARCH))!;
  {
    await using held = await lockFile.take();
    assert.ok(held !== undefined);
    assert.equal(await canLock(file), false);
    assert.equal(await lockFile.take(), undefined, "a second time: somebody has it");
  }
  await assert.rejects(fs.stat(file), { code: "ENOENT" });
});

test("what an earlier life left is removed; what the supervisor holds is not", async () => {
  await using folder = await tempFolder("petiole-lock");
  const file = path.join(folder.path, "updates.lock");
  const lockFile = (await systemLockFile(file, SEARCH))!;
  assert.equal(await lockFile.clearStale(), false);
  await fs.writeFile(file, "");
  assert.equal(await lockFile.clearStale(), true);
  if (process.getuid?.() !== 0) return;
  await fs.writeFile(file, "");
  await fs.chown(file, 65_534, 65_534);
  assert.equal(await lockFile.clearStale(), false);
  assert.equal(await lockFile.take(), undefined);
});

test("an owner who overrides the lock takes the file away; letting go is then no fault", async () => {
  await using folder = await tempFolder("petiole-lock");
  const file = path.join(folder.path, "updates.lock");
  const held = await (await systemLockFile(file, SEARCH))!.take();
  await fs.unlink(file);
  await held![Symbol.asyncDispose]();
  assert.deepEqual(await fs.readdir(folder.path), []);
});

test("a lock that was overridden, and is somebody else's by now, is not taken away from them", async () => {
  await using folder = await tempFolder("petiole-lock");
  const file = path.join(folder.path, "updates.lock");
  const held = await (await systemLockFile(file, SEARCH))!.take();
  await fs.rename(file, `${file}.old`); // so that the next file cannot have its number
  await fs.writeFile(file, "the supervisor's");
  await held![Symbol.asyncDispose]();
  assert.equal(await fs.readFile(file, "utf8"), "the supervisor's");
});

test("without the program flock the file alone is the lock; without the place there is none", async () => {
  await using folder = await tempFolder("petiole-lock");
  const file = path.join(folder.path, "updates.lock");
  await using held = await (await systemLockFile(file, "/nowhere"))!.take();
  assert.ok(held !== undefined);
  assert.ok((await fs.stat(file)).isFile());
  assert.equal(await systemLockFile("/nowhere/balena/updates.lock", SEARCH), undefined);
});

test("a spoke keeps updates out while its outbox commits or drains, and at no other time", async () => {
  await using folder = await tempFolder("petiole-lock");
  await using hub = await startHub({ version: "2.10" });
  const nats = await hub.connect();
  nats.subscribe("sensors.>", { callback: () => undefined });
  await nats.flush();
  const file = path.join(folder.path, "updates.lock");
  const inner = (await systemLockFile(file))!;
  let taken = 0;
  let released = Promise.withResolvers<void>();
  /** Counts; the real file and its real flock. */
  const counting: LockFile = {
    clearStale: () => inner.clearStale(),
    async take() {
      const lock = await inner.take();
      taken += 1;
      assert.equal(await canLock(file), false, "another program meets it");
      return {
        async [Symbol.asyncDispose]() {
          await lock![Symbol.asyncDispose]();
          released.resolve();
          released = Promise.withResolvers();
        },
      };
    },
  };
  const isLetGo = async () => {
    for (let next = released.promise; existsSync(file); next = released.promise) await next;
  };
  await using spoke = await startSpoke({
    remote: { urls: [hub.leafUrl], user: LEAF.user, password: LEAF.password },
    settings: {
      // So long that a healthy link, on however busy a machine, confirms before anything is written.
      outbox: { free_reserve: "0B", commit_interval: "1s", rules: [{ subjects: [">"], class: "telemetry", keep: "always" }] },
    },
    machine: {
      openUpdateLock: (env) => openUpdateLock(counting, env, { lingerMs: 100, heldMsMax: 60_000, restMs: 1_000 }),
    },
  });
  await spoke.untilReady();
  await using device = await spoke.device();
  for (let i = 0; i < 100; i++) await device.publishAsync("sensors/7", `${i}`, { qos: 1 });
  await spoke.until("all is confirmed", ({ remotes }) => remotes[0]!.outbox.depth === 0);
  const before = taken;
  for (let i = 0; i < 100; i++) await device.publishAsync("sensors/7", `${i}`, { qos: 1 });
  assert.equal(taken, before, "a link that confirms needs no lock");

  await hub.server.stop();
  await spoke.until("the link is gone", ({ remotes }) => remotes[0]!.link.state !== "ready");
  await device.publishAsync("sensors/7", "committed", { qos: 1 });
  assert.ok(taken > before, "the acknowledgement is a commit's");
  await isLetGo();

  const whileDown = taken;
  await hub.server.restart();
  await spoke.until("all is delivered", ({ remotes }) => remotes[0]!.outbox.depth === 0 && remotes[0]!.outbox.mode === "direct");
  assert.ok(taken > whileDown, "the drain held it");
  await isLetGo();
  await nats.close();
});
