// How an outbox opens its journals: the key for writing and for reading, and how small their segments are.

import assert from "node:assert/strict";
import { test } from "node:test";
import { systemEntropy } from "#base/entropy.ts";
import { eraseKey } from "#journal/key-file.ts";
import { CLASSES } from "#outbox/urgency.ts";
import { turn } from "../../support/fake-clock.ts";
import { OutboxHarness } from "./harness.ts";

const FOLDER = "/data/outbox/EDGE";
const KEY = `${FOLDER}/outbox.key`;

/** The same disk and another life with other settings. */
async function again(harness: OutboxHarness, settings: Parameters<OutboxHarness["start"]>[0]): Promise<void> {
  await harness.outbox[Symbol.asyncDispose]();
  await harness.start({ commit_interval: "25ms", ...settings });
}

function segments({ disk }: OutboxHarness): Buffer[] {
  return disk.files(FOLDER).flatMap((path) => (path.endsWith(".seg") ? [disk.peek(path)] : []));
}

async function kept(harness: OutboxHarness, payloads: readonly string[]): Promise<void> {
  harness.publish("plant.7.secret", payloads);
  await harness.commit();
}

async function drained(harness: OutboxHarness): Promise<readonly string[]> {
  harness.up();
  for (let turns = 0; turns < 20; turns++) {
    await turn();
    harness.confirm();
  }
  return harness.link.payloads;
}

test("switched off, encryption leaves what it wrote readable, and writes in the clear", async () => {
  await using harness = await OutboxHarness.open({ encryption: true });
  await kept(harness, ["first"]);
  const key = harness.disk.peek(KEY);
  assert.ok(segments(harness).length > 0 && !segments(harness).some((bytes) => bytes.includes("secret")));
  await again(harness, { encryption: false });
  await kept(harness, ["second"]);
  assert.ok(segments(harness).at(-1)!.includes("plant.7.secret"));
  assert.deepEqual(harness.disk.peek(KEY), key);
  assert.deepEqual(await drained(harness), ["first", "second"]);
});

test("without encryption no key is made, and one that is refused stops nothing", async () => {
  await using harness = await OutboxHarness.open({ encryption: false });
  await kept(harness, ["first"]);
  assert.equal(harness.disk.files(FOLDER).includes(KEY), false);
  harness.disk.plant(KEY, Buffer.alloc(5, 1));
  await again(harness, { encryption: false });
  assert.deepEqual(await drained(harness), ["first"]);
  assert.deepEqual(harness.disk.peek(KEY), Buffer.alloc(5, 1));
  await harness.outbox[Symbol.asyncDispose]();
  await assert.rejects(harness.start({ encryption: true }), { code: "JOURNAL_KEY_REFUSED" });
});

test("after a factory reset has erased the key, nothing of before can be read, and the outbox begins anew", async () => {
  await using harness = await OutboxHarness.open({ encryption: true });
  await kept(harness, ["old"]);
  await harness.outbox[Symbol.asyncDispose]();
  await eraseKey(harness.disk.mount(), FOLDER, "outbox.key", systemEntropy());
  await again(harness, { encryption: true });
  await kept(harness, ["new"]);
  assert.deepEqual(await drained(harness), ["new"]);
  assert.equal(harness.outbox.status().lanes.flatMap(({ recovery }) => recovery.sealed).length, 1);
});

test("with a small max_messages the oldest go in steps of a sixteenth of it, however large the commits are", async () => {
  await using harness = await OutboxHarness.open({ max_messages: 1600 });
  const { journal } = harness.outbox.lanes.all[CLASSES.indexOf("state")]!;
  let fewest = Number.POSITIVE_INFINITY;
  for (let from = 0; from < 6000; from += 500) {
    await kept(
      harness,
      Array.from({ length: 500 }, (_, index) => `reading ${from + index}`),
    );
    if (from >= 1500) fewest = Math.min(fewest, journal.records);
  }
  assert.ok(journal.records <= 1600 && fewest >= 1500, `${fewest} left at least`);
  assert.equal((await drained(harness)).at(-1), "reading 5999");
});
