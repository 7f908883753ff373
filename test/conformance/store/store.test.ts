import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyIndex } from "#store/key-index.ts";
import { turn } from "../../support/fake-clock.ts";
import { bytesOf, contents, StoreRig } from "./store-rig.ts";

test("all that is staged within an interval is one write and one sync", async () => {
  const rig = new StoreRig();
  await using store = await rig.open();
  const { writes, datasyncs } = rig.disk.counters;
  for (let i = 0; i < 100; i++) store.put(`key ${i}`, bytesOf(`value ${i}`), "soon");
  await rig.clock.pass(24);
  assert.deepEqual([store.safe, store.status().staged], [0, 100]);
  await rig.commit();
  assert.deepEqual([store.safe, store.status().staged], [100, 0]);
  assert.deepEqual([rig.disk.counters.writes - writes, rig.disk.counters.datasyncs - datasyncs], [2, 1], "and a header");
  rig.disk.powerCut();
  await using again = await rig.open();
  assert.equal(Object.keys(contents(again)).length, 100);
  assert.equal(contents(again)["key 42"], "value 42");
});

test("while a sync is under way the next group gathers", async () => {
  const rig = new StoreRig();
  await using store = await rig.open();
  const gate = Promise.withResolvers<void>();
  rig.disk.beforeSync = () => gate.promise;
  const first = store.put("a", bytesOf("1"), "soon");
  await rig.commit();
  const { datasyncs } = rig.disk.counters;
  for (let i = 0; i < 50; i++) {
    store.put(`b${i}`, bytesOf("2"), "soon");
    await rig.clock.pass(10);
  }
  assert.equal(store.safe, 0);
  gate.resolve();
  await turn();
  await turn();
  assert.ok(store.safe >= first);
  await rig.commit();
  assert.equal(store.safe, 51);
  assert.equal(rig.disk.counters.datasyncs - datasyncs, 2, "the one that was waited for, and one for all the others");
});

test("a lazy change goes along with the next soon one, and otherwise after ten seconds", async () => {
  const rig = new StoreRig();
  await using store = await rig.open();
  store.put("a", bytesOf("1"), "lazy");
  await rig.clock.pass(9_999);
  assert.equal(store.safe, 0);
  await rig.clock.pass(2);
  assert.equal(store.safe, 1);
  store.put("b", bytesOf("2"), "lazy");
  store.put("c", bytesOf("3"), "soon");
  await rig.commit();
  assert.equal(store.safe, 3);
});

test("a lazy key that changes each second is written once in ten", async () => {
  const rig = new StoreRig();
  await using store = await rig.open();
  for (let second = 0; second < 60; second++) {
    store.put("state", bytesOf(`${second}`), "lazy");
    await rig.clock.pass(1000);
  }
  assert.ok(store.status().commits <= 6, `${store.status().commits} commits`);
  assert.equal(store.status().keys, 1);
});

test("what is put and deleted before it is written is never written, and is safe at the end of the turn", async () => {
  const rig = new StoreRig();
  await using store = await rig.open();
  const heard: number[] = [];
  using _watch = store.watch((safe) => heard.push(safe));
  const { writes, datasyncs } = rig.disk.counters;
  for (let i = 0; i < 20; i++) store.put(`queue ${i}`, bytesOf("message"), "soon");
  await turn();
  assert.deepEqual(heard, []);
  for (let i = 0; i < 20; i++) store.delete(`queue ${i}`, "lazy");
  assert.deepEqual(heard, [], "not from inside the call");
  await turn();
  assert.deepEqual(heard, [40], "once for all of them");
  await rig.clock.pass(60_000);
  assert.deepEqual([rig.disk.counters.writes - writes, rig.disk.counters.datasyncs - datasyncs], [0, 0]);
  assert.equal(store.status().commits, 0);
});

test("a steady stream whose every message is done with within the interval writes nothing", async () => {
  const rig = new StoreRig();
  await using store = await rig.open();
  const { writes } = rig.disk.counters;
  for (let i = 0; i < 1000; i++) {
    store.put(`queue ${i}`, bytesOf("message"), "soon");
    await rig.clock.pass(2);
    store.delete(`queue ${i - 5}`, "lazy");
    await rig.clock.pass(1);
  }
  assert.deepEqual([store.status().commits, rig.disk.counters.writes - writes], [0, 0]);
  await rig.commit();
  assert.deepEqual([store.status().commits, store.status().keys, store.status().staged], [1, 5, 0]);
});

test("what was written once is deleted by a record, also after the power has gone", async () => {
  const rig = new StoreRig();
  {
    await using store = await rig.open();
    store.put("a", bytesOf("1"), "soon");
    await rig.commit();
    store.put("a", bytesOf("2"), "soon");
    store.delete("a", "soon");
    await rig.commit();
    assert.equal(store.safe, 3);
    rig.disk.powerCut();
  }
  await using again = await rig.open();
  assert.deepEqual(contents(again), {});
});

test("a value is safe only when it or a later one of its key is", async () => {
  const rig = new StoreRig();
  await using store = await rig.open();
  store.put("a", bytesOf("1"), "soon");
  await rig.commit();
  const gate = Promise.withResolvers<void>();
  rig.disk.beforeSync = () => gate.promise;
  const second = store.put("a", bytesOf("2"), "soon");
  store.put("a", bytesOf("3"), "lazy");
  await rig.commit();
  assert.ok(store.safe < second);
  gate.resolve();
  await rig.commit();
  assert.equal(store.safe, 3);
});

test("watchers are told once a commit, and no more when they are gone", async () => {
  const rig = new StoreRig();
  await using store = await rig.open();
  let told = 0;
  const watch = store.watch(() => {
    told += 1;
  });
  for (let i = 0; i < 500; i++) store.put(`${i}`, bytesOf("x"), "soon");
  await rig.commit();
  assert.equal(told, 1);
  watch[Symbol.dispose]();
  store.put("y", bytesOf("x"), "soon");
  await rig.commit();
  assert.equal(told, 1);
});

test("a sync that fails makes nothing safe; it is reported once, and tried again in a new file until it succeeds", async () => {
  const rig = new StoreRig();
  await using store = await rig.open();
  store.put("a", bytesOf("1"), "soon");
  await rig.commit();
  rig.disk.faults.failDatasyncIn = 1;
  store.put("b", bytesOf("2"), "soon");
  await rig.commit();
  assert.equal(store.safe, 1);
  assert.match(store.status().fault ?? "", /the disk refuses/);
  rig.disk.faults.failWriteIn = 1;
  store.put("c", bytesOf("3"), "soon");
  await rig.clock.pass(600);
  assert.equal(store.safe, 1, "the second attempt fails, too");
  assert.deepEqual(rig.errors().length, 1);
  await rig.clock.pass(2_000);
  assert.deepEqual([store.safe, store.status().fault], [3, null]);
  assert.equal(store.status().failedCommits, 2);
  assert.ok(rig.lines.some(({ message }) => message.includes("made durable again")));
  rig.disk.powerCut();
  await using again = await rig.open();
  assert.deepEqual(contents(again), { a: "1", b: "2", c: "3" });
});

test("what is deleted while the disk refuses does not come back, though some of it may have reached the card", async () => {
  const rig = new StoreRig();
  await using store = await rig.open();
  rig.disk.faults.failDatasyncIn = 1;
  store.put("a", bytesOf("1"), "soon");
  store.put("b", bytesOf("2"), "lazy");
  await rig.commit();
  store.delete("a", "lazy");
  await rig.clock.pass(20_000);
  assert.equal(store.safe, 3);
  rig.disk.killProcess();
  await using again = await rig.open();
  assert.deepEqual(contents(again), { b: "2" });
});

test("a full disk refuses puts until there is room, and loses nothing that was staged", async () => {
  const rig = new StoreRig();
  await using store = await rig.open();
  store.put("a", bytesOf("1"), "soon");
  await rig.commit();
  rig.disk.totalBytes = rig.disk.usedBytes + 10;
  store.put("b", Buffer.alloc(1000), "soon");
  await rig.commit();
  assert.deepEqual([store.safe, store.isFull, store.status().full], [1, true, "disk"]);
  rig.disk.totalBytes = 1e9;
  await rig.clock.pass(60_000);
  assert.deepEqual([store.safe, store.isFull], [2, false]);
});

test("a read-only disk keeps the store open, unsafe and loud", async () => {
  const rig = new StoreRig();
  const store = await rig.open();
  rig.disk.faults.isReadOnly = true;
  store.put("a", bytesOf("1"), "soon");
  await rig.clock.pass(120_000);
  assert.equal(store.safe, 0);
  assert.match(store.status().fault ?? "", /read-only/);
  await store[Symbol.asyncDispose]();
  assert.equal(rig.clock.pending, 0);
});

test("room on the disk that is for others is left to them, and looked at again", async () => {
  const rig = new StoreRig({ freeReserve: 1_000_000 });
  await using store = await rig.open();
  rig.disk.totalBytes = rig.disk.usedBytes + 900_000;
  store.put("a", bytesOf("1"), "soon");
  await rig.commit();
  assert.deepEqual([store.isFull, store.status().full], [true, "disk"]);
  assert.equal(store.safe, 1, "what was taken is written all the same");
  rig.disk.totalBytes = 1e9;
  await rig.clock.pass(6_000);
  void store.isFull;
  await turn();
  assert.equal(store.isFull, false);
});

test("more than its bytes is refused by its owners, deletes make room", async () => {
  const rig = new StoreRig();
  await using store = await rig.open();
  let keys = 0;
  for (; !store.isFull && keys < 10_000; keys++) {
    store.put(`key ${keys}`, Buffer.alloc(4096, keys), "soon");
    if (keys % 64 === 63) await rig.commit();
  }
  await rig.commit();
  assert.ok(keys > 400 && keys < 500, `${keys} values of 4 KiB under 4 MiB: what counts is half of what the files may take`);
  assert.ok(store.status().fileBytes <= rig.options.maxBytes);
  assert.equal(store.status().full, "bytes");
  for (let i = 0; i < 50; i++) store.delete(`key ${i}`, "lazy");
  await rig.clock.pass(11_000);
  assert.equal(store.isFull, false);
});

test("a store that cannot keep up says so before it drowns", async () => {
  const rig = new StoreRig({ maxBytes: 1e9 });
  await using store = await rig.open();
  rig.disk.beforeSync = () => new Promise(() => undefined);
  for (let i = 0; i < 17; i++) store.put(`${i}`, Buffer.alloc(1024 * 1024), "soon");
  assert.deepEqual([store.isFull, store.status().full], [true, "staged"]);
  rig.disk.killProcess();
  rig.disk.beforeSync = undefined;
});

test("closing writes what is staged, lazy or not, and closing twice is one closing", async () => {
  const rig = new StoreRig();
  const store = await rig.open();
  store.put("a", bytesOf("1"), "lazy");
  store.delete("unknown", "soon");
  const ends = [store[Symbol.asyncDispose](), store[Symbol.asyncDispose]()];
  await Promise.all(ends);
  assert.equal(rig.clock.pending, 0);
  store.put("b", bytesOf("2"), "soon"); // harms nobody, and is never safe
  await rig.clock.pass(60_000);
  rig.disk.powerCut();
  await using again = await rig.open();
  assert.deepEqual(contents(again), { a: "1" });
});

test("values found at the start are there until they are released", async () => {
  const rig = new StoreRig();
  {
    await using store = await rig.open();
    for (const key of ["s 1", "s 2", "r 1", ""]) if (key !== "") store.put(key, bytesOf(key), "soon");
    assert.throws(() => store.put("", bytesOf("x"), "soon"), /a key of 0 bytes/);
    assert.throws(() => store.put("k".repeat(4097), bytesOf("x"), "soon"), /a key of 4097 bytes/);
  }
  await using store = await rig.open();
  assert.deepEqual(contents(store, "s "), { "s 1": "s 1", "s 2": "s 2" });
  store.release();
  assert.deepEqual(contents(store), {});
  assert.equal(store.status().keys, 3);
});

test("the longest key and a value of 1 MiB come back as they were", async () => {
  const rig = new StoreRig();
  const key = Array.from({ length: 4096 }, (_, i) => String.fromCharCode(1 + (i % 255))).join("");
  const value = Buffer.from(Array.from({ length: 1024 * 1024 }, (_, i) => (i * 7) & 255));
  {
    await using store = await rig.open();
    store.put(key, value, "soon");
    store.put("empty", Buffer.alloc(0), "soon");
  }
  await using store = await rig.open();
  assert.deepEqual(
    new Map(store.entries("")),
    new Map([
      [key, value],
      ["empty", Buffer.alloc(0)],
    ]),
  );
});

test("a year of commits leaves neither files nor memory behind", async () => {
  const rig = new StoreRig();
  await using store = await rig.open();
  for (let i = 0; i < 1500; i++) {
    store.put(`queue ${i}`, Buffer.alloc(1000), "soon");
    store.put("state", bytesOf(`${i}`), "lazy");
    if (i >= 10) store.delete(`queue ${i - 10}`, "lazy");
    if (i % 3 === 0) await rig.commit();
  }
  await rig.commit();
  const { keys, fileBytes, copiedBytes, committedBytes } = store.status();
  assert.equal(keys, 11);
  assert.ok(fileBytes < 500_000, `${fileBytes} bytes in files`);
  assert.ok(copiedBytes < committedBytes / 10, `${copiedBytes} copied for ${committedBytes}`);
  const index = new KeyIndex();
  for (let i = 0; i < 1000; i++) index.set(`key ${i}`, 2 ** 40 + i, i);
  assert.equal(index.seqOf("key 7"), 2 ** 40 + 7, "numbers above 32 bits");
  for (let i = 0; i < 1000; i++) index.delete(`key ${i}`);
  assert.deepEqual([index.size, index.liveBytes, index.seqOf("key 7")], [0, 0, 0]);
});
