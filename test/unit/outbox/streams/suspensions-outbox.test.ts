// Suspended subjects as an outbox on a link meets them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SeqSet } from "#outbox/seq-set.ts";
import type { PubAck } from "#outbox/streams/pub-ack.ts";
import { CLASSES } from "#outbox/urgency.ts";
import { OutboxHarness } from "../harness.ts";

const STORED = { rules: [{ subjects: [">"], class: "alarm", keep: "always", confirm: "stored" }] };
const ALARM = CLASSES.indexOf("alarm");
const YES: PubAck = { is: "stored", stream: "S", seq: 1, isDuplicate: false };
const NO: PubAck = { is: "refused", code: 503, errCode: 0, text: "", isFinal: false, why: "no_stream" };
const NEVER: PubAck = { is: "refused", code: 400, errCode: 10054, text: "message size exceeds", isFinal: true, why: "too_large" };

/** The hub answers every PING, also those that its answers bring about. */
async function settle(box: OutboxHarness): Promise<void> {
  for (let i = 0; i < 3; i++) {
    box.confirm();
    await box.commit();
  }
}

test("one stream that does not store holds up its own subject only, and one message at a time goes to see", async () => {
  await using box = await OutboxHarness.open(STORED);
  box.up();
  box.publish("dead", ["d1"]);
  box.publish("well", ["w1"]);
  box.outbox.onAnswer(ALARM, 1, NO);
  box.outbox.onAnswer(ALARM, 2, YES);
  box.publish("dead", ["d2"]);
  box.publish("well", ["w2"]);
  box.outbox.onAnswer(ALARM, 4, YES);
  await settle(box);
  assert.deepEqual(box.link.payloads, ["d1", "w1", "w2"]);
  assert.deepEqual(box.outbox.status().suspended, [
    {
      subject: "dead",
      why: "no stream takes dead: make one whose subjects include it (and that acknowledges), or set confirm: auto",
    },
  ]);
  await box.clock.pass(1100);
  await settle(box);
  assert.deepEqual(box.link.payloads, ["d1", "w1", "w2", "d1"], "the oldest goes to see, alone");
  box.outbox.onAnswer(ALARM, 1, YES);
  await settle(box);
  box.outbox.onAnswer(ALARM, 3, YES);
  await settle(box);
  const { suspended, depth, held } = box.outbox.status();
  assert.deepEqual(box.link.payloads, ["d1", "w1", "w2", "d1", "d2"]);
  assert.deepEqual([suspended, depth, held], [[], 0, 0]);
});

test("silence suspends a subject, too, and says so", async () => {
  await using box = await OutboxHarness.open(STORED);
  box.up();
  box.publish("mute", ["1"]);
  await box.clock.pass(12_000);
  assert.match(box.outbox.status().suspended[0]?.why ?? "", /^no stream answers for mute: make one/);
  assert.equal(box.outbox.status().depth, 1);
});

test("a message that its stream will never take is dropped, counted, and holds up nobody", async () => {
  await using box = await OutboxHarness.open(STORED);
  box.up();
  box.publish("a", ["1", "2"]);
  box.outbox.onAnswer(ALARM, 1, NEVER);
  box.outbox.onAnswer(ALARM, 2, YES);
  await settle(box);
  assert.deepEqual([box.losses(), box.outbox.status().depth, box.outbox.status().suspended], [{ refused: 1 }, 0, []]);
});

test("answers that no stream would give, for lanes and messages that are not, change nothing", async () => {
  await using box = await OutboxHarness.open(STORED);
  box.up();
  box.publish("a", ["1"]);
  box.outbox.onAnswer(ALARM, 1, { is: "garbage" });
  for (const [classIndex, seq] of [
    [99, 1],
    [-1, 1],
    [ALARM, 77],
    [ALARM + 1, 1],
  ] as const)
    for (const answer of [YES, NO, NEVER]) box.outbox.onAnswer(classIndex, seq, answer);
  assert.deepEqual([box.losses(), box.outbox.status().suspended, box.outbox.status().held], [{}, [], 1]);
});

test("where the hub keeps the answers of streams from us, such messages wait on flash, and status says why", async () => {
  await using box = await OutboxHarness.open(STORED);
  Object.defineProperty(box.link, "inbox", { value: null });
  box.up();
  const ticket = box.publish("a", ["1"]);
  await box.commit();
  assert.deepEqual([box.safe.at(-1), box.link.payloads, box.outbox.status().held], [ticket, [], 1]);
  assert.deepEqual(box.outbox.status().suspended, [
    {
      subject: ">",
      why: "the hub does not let this device hear the answers of streams: let its user subscribe to its inbox, or set confirm: auto",
    },
  ]);
});

test("a new link lets every suspended subject try at once", async () => {
  await using box = await OutboxHarness.open(STORED);
  box.up();
  box.publish("a", ["1", "2"]);
  for (const seq of [1, 2]) box.outbox.onAnswer(ALARM, seq, NO);
  await box.commit();
  box.down();
  box.up();
  await box.commit();
  assert.deepEqual(box.link.payloads, ["1", "2", "1"]);
});

test("what a link left to the stream's window, and the stream refuses for now, is looked for before it is sent again", async () => {
  await using box = await OutboxHarness.open(STORED);
  const asked: { readonly subjects: readonly string[]; readonly sinceMs: number }[] = [];
  const seqs = new SeqSet();
  box.up();
  const sentAt = box.clock.now();
  box.publish("a", ["1", "2", "3"]); // all of them are stored, and the link takes the answers with it
  for (const seq of [1, 2, 3]) seqs.add(seq);
  await box.commit();
  box.down();
  box.reconcile = (lanes) => ({ lanes: new Set(lanes.all), over: Promise.resolve(sentAt) });
  box.lookFor = async (subjects, sinceMs) => {
    asked.push({ subjects, sinceMs });
    return { isWhole: true, ids: [{ classIndex: ALARM, epoch: 1, seqs }] };
  };
  box.up();
  await settle(box);
  assert.deepEqual(box.link.payloads, ["1", "2", "3", "1", "2", "3"]);
  for (const seq of [1, 2, 3]) box.outbox.onAnswer(ALARM, seq, NO);
  await box.clock.pass(2500);
  await settle(box);
  assert.deepEqual(asked, [{ subjects: ["a"], sinceMs: sentAt }]);
  assert.equal(box.link.payloads.length, 6, "nothing goes again");
  assert.deepEqual([box.outbox.status().depth, box.outbox.status().suspended], [0, []]);
});

test("subjects that wait for their stream are told to whoever asks it over a new link", async () => {
  await using box = await OutboxHarness.open(STORED);
  const heldUp: boolean[] = [];
  box.reconcile = (_lanes, _signal, isHeldUp) => void heldUp.push(isHeldUp);
  box.up();
  box.publish("a", ["1"]);
  box.outbox.onAnswer(ALARM, 1, NO);
  await box.commit();
  box.down();
  box.up();
  assert.deepEqual(heldUp, [false, true]);
});
