import assert from "node:assert/strict";
import { test } from "node:test";
import { verifyStore } from "#store/verify-store.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import { bytesOf, contents, FOLDER, StoreRig } from "./store-rig.ts";

/** Turns of a small store: what it held after each. */
async function fill(rig: StoreRig): Promise<Record<string, string>[]> {
  await using store = await rig.open();
  const state: Record<string, string> = {};
  const states = [{}];
  for (let i = 0; i < 12; i++) {
    const put = (key: string, value: string) => {
      store.put(key, bytesOf(value), "soon");
      state[key] = value;
    };
    put(`a${i % 3}`, `A${i}`);
    put(`b${i}`, `B${i}`);
    if (i > 3) {
      store.delete(`b${i - 3}`, "soon");
      delete state[`b${i - 3}`];
    }
    await rig.commit();
    states.push({ ...state });
  }
  return states;
}

function segments(rig: StoreRig): string[] {
  return rig.disk.files(FOLDER).filter((name) => name.endsWith(".seg"));
}

test("cut off anywhere, a store comes up as it was after a whole turn", async () => {
  const rig = new StoreRig();
  const states = (await fill(rig)).map((state) => JSON.stringify(sorted(state)));
  const [name] = segments(rig);
  const whole = rig.disk.peek(name!);
  for (let end = 0; end <= whole.length; end += 9) {
    const cut = new StoreRig({}, new FakeDisk({ seed: end }));
    cut.disk.plant(name!, whole.subarray(0, end));
    await using store = await cut.open();
    assert.ok(states.includes(JSON.stringify(sorted(contents(store)))), `cut at ${end}`);
  }
});

test("whatever byte has rotted, the store starts, and holds nothing that was never put", async () => {
  const rig = new StoreRig();
  const known = new Set((await fill(rig)).flatMap((state) => Object.entries(state).map((pair) => pair.join(" "))));
  const [name] = segments(rig);
  const whole = rig.disk.peek(name!);
  let least = Number.POSITIVE_INFINITY;
  for (let at = 0; at < whole.length; at += 7) {
    const rotten = new StoreRig({}, new FakeDisk({ seed: at }));
    rotten.disk.plant(name!, whole);
    rotten.disk.rot(name!, at, 0x10);
    await using store = await rotten.open();
    const found = contents(store);
    for (const pair of Object.entries(found)) assert.ok(known.has(pair.join(" ")), `at ${at}: ${pair}`);
    least = Math.min(least, Object.keys(found).length);
  }
  assert.ok(least >= 4, `a single flipped bit costs one commit, not the store: ${least} keys left`);
});

test("rot in the middle is reported, and what came later counts", async () => {
  const rig = new StoreRig();
  await fill(rig);
  const [name] = segments(rig);
  rig.disk.rot(name!, Math.floor(rig.disk.peek(name!).length / 2));
  await using store = await rig.open();
  assert.equal(contents(store)["a2"], "A11");
  assert.equal(store.status().damaged, 1);
  assert.ok(rig.errors().some((message) => message.includes("damaged")));
  const verdict = await verifyStore(rig.disk, FOLDER);
  assert.deepEqual([verdict.isFine, verdict.damaged.length], [false, 1]);
});

test("without its cursors a store holds the same", async () => {
  const rig = new StoreRig();
  const states = await fill(rig);
  for (const name of ["cursor", "epoch"]) await rig.disk.remove(`${FOLDER}/${name}`);
  await using store = await rig.open();
  assert.deepEqual(sorted(contents(store)), sorted(states.at(-1)!));
});

test("a file that was done with and comes back from the dead brings nothing back", async () => {
  const rig = new StoreRig();
  const graves = new Map<string, Buffer>();
  {
    await using store = await rig.open();
    store.put("deleted", bytesOf("old"), "soon");
    store.put("kept", bytesOf("old"), "soon");
    await rig.commit();
    store.delete("deleted", "soon");
    store.put("kept", bytesOf("new"), "soon");
    for (let i = 0; i < 60; i++) {
      store.put("often", Buffer.alloc(20_000, i), "soon");
      await rig.commit();
      for (const name of segments(rig)) graves.set(name, rig.disk.peek(name));
    }
  }
  const standing = new Set(segments(rig));
  const gone = graves
    .entries()
    .filter(([name]) => !standing.has(name))
    .toArray();
  assert.ok(gone.length > 0, "cleaning has removed files");
  for (const [name, bytes] of gone) rig.disk.plant(name, bytes);
  for (const name of ["cursor", "epoch"]) await rig.disk.remove(`${FOLDER}/${name}`);
  await using store = await rig.open();
  assert.deepEqual(Object.keys(contents(store)).sort(), ["kept", "often"]);
  assert.equal(contents(store)["kept"], "new");
});

test("a segment the disk will not read costs what it held, not the start", async () => {
  const rig = new StoreRig();
  {
    await using store = await rig.open();
    for (let i = 0; i < 20; i++) {
      store.put(`key ${i}`, Buffer.alloc(20_000, i), "soon");
      await rig.commit();
    }
  }
  const names = segments(rig);
  assert.ok(names.length >= 3);
  rig.disk.faults.isUnreadable = (path) => path === names[0];
  {
    await using store = await rig.open();
    const { keys } = store.status();
    assert.ok(keys > 5 && keys < 20, `${keys} keys`);
    store.put("after", bytesOf("1"), "soon");
    await rig.commit();
    assert.equal(store.safe, 1);
  }
  assert.equal((await verifyStore(rig.disk, FOLDER)).isFine, false);
  rig.disk.faults.isUnreadable = undefined;
  await using store = await rig.open();
  assert.equal(store.status().keys, 21, "readable again, all of it counts");
});

test("encrypted, neither keys nor values can be found in the files, and without the key it starts empty", async () => {
  const key = Buffer.alloc(32, 9);
  const rig = new StoreRig({ key, isEncrypting: true });
  {
    await using store = await rig.open();
    store.put("topic plant/secret", bytesOf("payload-secret"), "soon");
    await rig.commit();
  }
  for (const name of rig.disk.files(FOLDER)) assert.ok(!rig.disk.peek(name).includes("secret"), name);
  {
    await using plain = await rig.open({ isEncrypting: false });
    assert.deepEqual(contents(plain), { "topic plant/secret": "payload-secret" }, "switched off, the key still reads");
  }
  {
    await using other = await rig.open({ key: null, isEncrypting: false });
    assert.deepEqual(contents(other), {});
    other.put("new", bytesOf("1"), "soon");
    await rig.commit();
    assert.equal(other.safe, 1);
  }
  const verdict = await verifyStore(rig.disk, FOLDER);
  assert.equal(verdict.closed[0]?.is, "sealed");
  await using again = await rig.open();
  assert.deepEqual(contents(again), { "topic plant/secret": "payload-secret", new: "1" }, "with the key all of it is back");
});

test("files sealed with a lost key give their room back in the end", async () => {
  const rig = new StoreRig({ key: Buffer.alloc(32, 9), isEncrypting: true });
  {
    await using store = await rig.open();
    for (let i = 0; i < 20; i++) {
      store.put(`key ${i}`, Buffer.alloc(20_000, i), "soon");
      await rig.commit();
    }
  }
  await using store = await rig.open({ key: Buffer.alloc(32, 8) });
  const before = store.status().fileBytes;
  for (let i = 0; i < 60; i++) {
    store.put("often", Buffer.alloc(20_000, i), "soon");
    await rig.commit();
  }
  assert.ok(store.status().fileBytes < before, `${store.status().fileBytes} after ${before}`);
});

test("verifying a store beside its life changes nothing and finds it fine", async () => {
  const rig = new StoreRig();
  const states = await fill(rig);
  const files = rig.disk.files(FOLDER).map((name) => [name, rig.disk.peek(name)] as const);
  const verdict = await verifyStore(rig.disk, FOLDER);
  assert.deepEqual(
    [verdict.isFine, verdict.keys, verdict.segments, verdict.tailBytes],
    [true, Object.keys(states.at(-1)!).length, 1, 0],
  );
  assert.deepEqual(
    rig.disk.files(FOLDER).map((name) => [name, rig.disk.peek(name)] as const),
    files,
  );
  await assert.rejects(verifyStore(rig.disk, "/nowhere"), { code: "ENOENT" });
});

/** A store whose last commit failed to be synced, and which was killed before it could take that away. */
async function killedBehindAFailedSync(): Promise<StoreRig> {
  const rig = new StoreRig({}, new FakeDisk({ random: () => 0.6 })); // a call that is struck has had its effect; nothing unsynced survives
  const store = await rig.open();
  store.put("a", bytesOf("A"), "soon");
  await rig.commit();
  rig.disk.faults.failDatasyncIn = 1;
  rig.disk.strikeAfter(2, "kill");
  store.put("b", bytesOf("B"), "soon");
  store.delete("a", "soon");
  await rig.commit();
  await store[Symbol.asyncDispose]();
  return rig;
}

test("a commit that failed to be synced, then a kill: what the next start finds is still there when the power goes", async () => {
  const rig = await killedBehindAFailedSync();
  const store = await rig.open();
  assert.deepEqual([contents(store), store.found], [{ b: "B" }, 0]);
  rig.disk.powerCut();
  await store[Symbol.asyncDispose]();
  await using again = await rig.open();
  assert.deepEqual(contents(again), { b: "B" });
});

test("what was found and cannot be made durable: the store starts, calls nothing safe, and goes on when the disk does", async () => {
  for (const isBusy of [false, true]) {
    const rig = await killedBehindAFailedSync();
    let isMean = true;
    const eio = () => Object.assign(new Error("EIO"), { code: "EIO" });
    const mount = rig.disk.mount.bind(rig.disk);
    rig.disk.mount = () => {
      const mounted = mount();
      const open: typeof mounted.open = (path, mode) =>
        isMean && mode === "update" && path.endsWith(".seg") ? Promise.reject(eio()) : mounted.open(path, mode);
      return { ...mounted, open };
    };
    const store = await rig.open();
    assert.deepEqual([contents(store), store.safe], [{ b: "B" }, 0]);
    assert.ok(store.found > store.safe, "and says so");
    let heard = 0;
    using _watch = store.watch((safe) => void (heard = safe));
    const mark = isBusy ? store.put("c", bytesOf("C"), "soon") : 0;
    store.put("ghost", bytesOf("G"), "soon");
    store.delete("ghost", "soon"); // never to be written, and safe as soon as anything is
    await rig.commit();
    await rig.clock.pass(40_000);
    assert.deepEqual([heard, store.safe], [0, 0]);
    assert.match(String(store.status().fault), /writing the last append .* again/);
    isMean = false;
    await rig.clock.pass(40_000);
    assert.ok(heard >= Math.max(mark, store.found) && heard === store.safe);
    assert.equal(store.status().fault, null);
    rig.disk.powerCut();
    await store[Symbol.asyncDispose]();
    assert.equal(rig.clock.pending, 0);
    await using again = await rig.open();
    assert.deepEqual(contents(again), isBusy ? { b: "B", c: "C" } : { b: "B" });
  }
});

test("a store that closes before what it found was durable writes nothing behind it", async () => {
  const rig = await killedBehindAFailedSync();
  const mount = rig.disk.mount.bind(rig.disk);
  rig.disk.mount = () => {
    const mounted = mount();
    const refusal = Object.assign(new Error("EACCES"), { code: "EACCES" });
    return { ...mounted, open: (path, mode) => (mode === "update" ? Promise.reject(refusal) : mounted.open(path, mode)) };
  };
  const store = await rig.open();
  store.put("c", bytesOf("C"), "soon");
  await store[Symbol.asyncDispose]();
  rig.disk.mount = mount;
  const again = await rig.open();
  assert.deepEqual([contents(again), again.found], [{ b: "B" }, 0]);
  rig.disk.powerCut();
  await again[Symbol.asyncDispose]();
  await using third = await rig.open();
  assert.deepEqual(contents(third), { b: "B" });
});

test("a folder that cannot be written is refused, in words", async () => {
  const rig = new StoreRig();
  rig.disk.faults.isReadOnly = true;
  await assert.rejects(rig.open(), { code: "JOURNAL_OPEN_FAILED" });
});

function sorted(state: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(state).sort(([a], [b]) => (a < b ? -1 : 1));
}
