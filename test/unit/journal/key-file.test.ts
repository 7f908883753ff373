import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disk } from "#base/disk.ts";
import { eraseKey, findKey, openKey } from "#journal/key-file.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import { testEnv } from "./harness.ts";

const FOLDER = "/data/keys";
const PATH = `${FOLDER}/outbox.key`;
const { entropy } = testEnv(new FakeDisk());
/** The key is made in fewer. */
const CALLS = 20;
const openOn = (disk: FakeDisk) => openKey(disk.mount(), FOLDER, "outbox.key", entropy);

test("the key is made at first use, for us alone, and is the same ever after, power cut or not", async () => {
  const disk = new FakeDisk();
  const key = await openOn(disk);
  assert.equal(key.length, 32);
  assert.equal(await disk.mode(PATH), 0o600);
  disk.powerCut();
  assert.deepEqual(await openOn(disk), key);
  assert.deepEqual(disk.files(), [PATH]);
});

test("a power cut while it is made leaves no key or the whole key", async () => {
  for (let call = 1; call <= CALLS; call++) {
    const disk = new FakeDisk({ seed: call });
    disk.strikeAfter(call);
    const made = await openOn(disk).catch(() => undefined);
    disk.strikeAfter(undefined);
    disk.powerCut();
    const again = await openOn(disk);
    assert.equal(again.length, 32);
    if (made !== undefined) assert.deepEqual(again, made, `struck at call ${call}`);
  }
});

test("a key that was found is there after a power cut, also if its maker was killed before it was so", async () => {
  for (let call = 1; call <= CALLS; call++) {
    for (let seed = 1; seed <= 6; seed++) {
      const disk = new FakeDisk({ seed });
      disk.strikeAfter(call, "kill");
      await openOn(disk).catch(() => undefined);
      disk.strikeAfter(undefined);
      const found = await openOn(disk);
      disk.powerCut();
      assert.deepEqual(await openOn(disk), found, `killed in call ${call}, seed ${seed}`);
    }
  }
});

test("a key in a folder that cannot be synced for us is used all the same", async () => {
  const disk = new FakeDisk();
  const key = await openOn(disk);
  const mounted = disk.mount();
  for (const [code, isFine] of [
    ["EACCES", true],
    ["EROFS", true],
    ["EIO", false],
  ] as const) {
    const refusing: Disk = { ...mounted, syncDirectory: () => Promise.reject(Object.assign(new Error(code), { code })) };
    const opened = openKey(refusing, FOLDER, "outbox.key", entropy);
    if (isFine) assert.deepEqual(await opened, key);
    else await assert.rejects(opened, { code: "JOURNAL_KEY_FAILED" });
  }
});

test("a key file of another length or open to others is refused in words, and not touched", async () => {
  for (const [bytes, mode, words] of [
    [0, 0o600, /holds 0 bytes, wanted 32/],
    [31, 0o600, /holds 31 bytes, wanted 32/],
    [33, 0o600, /holds more, wanted 32/],
    [32, 0o644, /mode 0644, wanted 0600/],
  ] as const) {
    const disk = new FakeDisk();
    disk.plant(PATH, Buffer.alloc(bytes, 1));
    await disk.setMode(PATH, mode);
    await assert.rejects(openOn(disk), { code: "JOURNAL_KEY_REFUSED", remedy: "never", message: words });
    assert.deepEqual([disk.peek(PATH).length, await disk.mode(PATH)], [bytes, mode]);
  }
});

test("a disk that refuses is an error that names the file", async () => {
  const disk = new FakeDisk();
  disk.faults.isReadOnly = true;
  await assert.rejects(openOn(disk), {
    code: "JOURNAL_KEY_FAILED",
    message: /key file \/data\/keys\/outbox.key: the disk is read-only/,
  });
});

test("an erased key is overwritten before it is removed; erasing what is not there is fine", async () => {
  const disk = new FakeDisk();
  const key = await openOn(disk);
  const seen: string[] = [];
  const mounted = disk.mount();
  const remove = async (path: string) => {
    if (path === PATH) seen.push(disk.peek(path).toString("hex"));
    await mounted.remove(path);
  };
  await eraseKey({ ...mounted, remove }, FOLDER, "outbox.key", entropy);
  assert.equal(seen.length, 1);
  assert.notEqual(seen[0], key.toString("hex"));
  assert.deepEqual(disk.files(), []);
  await eraseKey(disk.mount(), FOLDER, "outbox.key", entropy);
  await eraseKey(new FakeDisk().mount(), "/nowhere", "outbox.key", entropy);
  assert.notDeepEqual(await openOn(disk), key);
});

test("a key that is only wanted for reading is never made, and checked all the same", async () => {
  const disk = new FakeDisk();
  assert.equal(await findKey(disk.mount(), FOLDER, "outbox.key"), undefined);
  assert.deepEqual(disk.files(), []);
  const key = await openOn(disk);
  assert.deepEqual(await findKey(disk.mount(), FOLDER, "outbox.key"), key);
  await disk.setMode(PATH, 0o640);
  await assert.rejects(findKey(disk.mount(), FOLDER, "outbox.key"), { code: "JOURNAL_KEY_REFUSED" });
});

test("a name that leads nowhere, and a file of zeros, are refused: a new key in their place would hide the right one", async () => {
  const disk = new FakeDisk();
  disk.plant(PATH, Buffer.alloc(32));
  await assert.rejects(openOn(disk), { code: "JOURNAL_KEY_REFUSED", message: /nothing but zeros/ });
  const mounted = disk.mount();
  const open: Disk["open"] = async (path, mode) => {
    if (path === PATH) throw Object.assign(new Error("ENOENT: no such file"), { code: "ENOENT" });
    return await mounted.open(path, mode);
  };
  const linked = { ...mounted, open };
  await assert.rejects(openKey(linked, FOLDER, "outbox.key", entropy), {
    code: "JOURNAL_KEY_REFUSED",
    message: /points to what/,
  });
  assert.deepEqual(disk.files(), [PATH]);
});

test("a disk that will not overwrite the key lets go of its name all the same, and says so", async () => {
  const disk = new FakeDisk();
  await openOn(disk);
  disk.faults.failWriteIn = 1;
  await assert.rejects(eraseKey(disk.mount(), FOLDER, "outbox.key", entropy), { code: "JOURNAL_KEY_FAILED", message: /erasing/ });
  assert.deepEqual(disk.files(), []);
  await eraseKey(disk.mount(), FOLDER, "outbox.key", entropy);
});

test("a power cut while it is erased leaves the key, noise or nothing, and erasing again leaves nothing", async () => {
  for (let call = 1; call < 10; call++) {
    const disk = new FakeDisk({ seed: call });
    const key = await openOn(disk);
    disk.strikeAfter(call);
    const isErased = await eraseKey(disk.mount(), FOLDER, "outbox.key", entropy).then(
      () => true,
      () => false,
    );
    disk.strikeAfter(undefined);
    disk.powerCut();
    const left = disk.files().map((path) => disk.peek(path));
    if (isErased) assert.ok(!left.some((bytes) => bytes.equals(key)), `struck at call ${call}`);
    await eraseKey(disk.mount(), FOLDER, "outbox.key", entropy);
    disk.powerCut();
    assert.deepEqual(disk.files(), []);
  }
});
