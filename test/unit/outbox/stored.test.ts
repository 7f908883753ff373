// `confirm: stored`: a message is safe and done when a stream says that it has it, and a PONG does not count.

import assert from "node:assert/strict";
import { test } from "node:test";
import { WINDOW_MAX, WINDOW_START } from "#outbox/stream-window.ts";
import type { PubAck } from "#outbox/streams/pub-ack.ts";
import { OutboxHarness } from "./harness.ts";

const STATE = 1; // index of the class
const RULES = [{ subjects: [">"], keep: "always", confirm: "stored" }];
const STORED: PubAck = { is: "stored", stream: "S", seq: 1, isDuplicate: false };
const FULL: PubAck = {
  is: "refused",
  code: 503,
  errCode: 10077,
  text: "maximum messages exceeded",
  isFinal: false,
  why: "no_space",
};
const TOO_LARGE: PubAck = { is: "refused", code: 400, errCode: 10054, text: "too large", isFinal: true, why: "too_large" };

const state = (box: OutboxHarness) => box.outbox.status().lanes[STATE]!;
const lane = (box: OutboxHarness) => box.outbox.lanes.all[STATE]!;
const times = (box: OutboxHarness, payload: string) => box.link.payloads.filter((each) => each === payload).length;

async function openDirect(settings = {}): Promise<OutboxHarness> {
  const box = await OutboxHarness.open({ rules: RULES, ...settings });
  box.up();
  await box.commit();
  return box;
}

test("it asks the stream for an answer on the link's inbox, and is safe when that comes, not with a PONG", async () => {
  await using box = await openDirect();
  const ticket = box.publish("orders.a", ["1"]);
  assert.match(box.link.text, /^HMSG orders\.a _INBOX\.life\.1\.1 \d+ \d+\r\n/);
  box.confirm();
  assert.deepEqual(box.safe, []);
  box.outbox.onAnswer(STATE, 1, STORED);
  assert.deepEqual(box.safe, [ticket]);
  const { depth, held, awaiting, delivered, mode } = state(box);
  assert.deepEqual({ depth, held, awaiting, delivered, mode }, { depth: 0, held: 0, awaiting: 0, delivered: 1, mode: "direct" });
  assert.equal(box.outbox.status().commits, 0, "a stream that answers in time spares the card");
});

test("an answer that overtakes the PONG counts as well, and nothing is sent again for it", async () => {
  await using box = await openDirect();
  const ticket = box.publish("orders.a", ["1"]);
  box.outbox.onAnswer(STATE, 1, STORED);
  assert.deepEqual(box.safe, [], "the order of one lane is kept: it is safe with the PONG");
  box.down();
  box.up();
  await box.commit();
  box.confirm();
  assert.deepEqual(box.safe, [ticket]);
  assert.equal(times(box, "1"), 1);
  assert.equal(state(box).depth, 0);
});

test("what the last link left unanswered is sent over the next, once, under the same id; an answer to the first counts for both", async () => {
  await using box = await openDirect();
  const ticket = box.publish("orders.a", ["1"]);
  box.confirm();
  box.down();
  box.up();
  await box.commit();
  assert.equal(times(box, "1"), 2);
  const ids = [...box.link.text.matchAll(/Nats-Msg-Id: (\S+)/g)].map((match) => match[1]);
  assert.equal(ids[0], ids[1]);
  box.outbox.onAnswer(STATE, 1, STORED);
  box.outbox.onAnswer(STATE, 1, { ...STORED, isDuplicate: true });
  box.confirm();
  await box.commit();
  assert.equal(box.safe.at(-1), ticket);
  assert.equal(state(box).delivered, 1);
  assert.equal(state(box).depth, 0);
});

test("no answer within ten seconds: it is given up once, kept, tried again, and a late answer ends that", async () => {
  await using box = await openDirect();
  box.publish("orders.a", ["1"]);
  box.confirm();
  await box.clock.pass(9_900);
  assert.deepEqual([state(box).awaiting, state(box).held], [1, 1]);
  await box.clock.pass(1_200);
  assert.deepEqual([state(box).awaiting, state(box).held], [0, 1]);
  await box.clock.pass(3_000);
  assert.equal(times(box, "1"), 2, "sent to see whether the stream is there");
  box.outbox.onAnswer(STATE, 1, STORED);
  assert.deepEqual([state(box).awaiting, state(box).held, state(box).delivered], [0, 0, 1]);
  box.confirm();
  await box.clock.pass(60_000);
  assert.equal(times(box, "1"), 2);
  assert.equal(state(box).depth, 0);
});

test("a late answer ends the waiting even if nothing was sent again meanwhile", async () => {
  await using box = await openDirect();
  box.publish("orders.a", ["1"]);
  box.confirm();
  await box.clock.pass(11_100);
  assert.equal(state(box).awaiting, 0);
  lane(box).onStored(1);
  assert.equal(state(box).held, 0);
  await box.commit();
  box.confirm();
  await box.clock.pass(120_000);
  assert.equal(times(box, "1"), 1);
});

test("a full stream: what it refused waits, is tried again, and reaches it in order", async () => {
  await using box = await openDirect();
  box.publish("orders.a", ["1", "2"]);
  box.confirm();
  box.outbox.onAnswer(STATE, 1, FULL);
  box.outbox.onAnswer(STATE, 2, FULL);
  assert.equal(state(box).awaiting, 0);
  box.publish("orders.a", ["3"]);
  for (let i = 0; i < 100 && state(box).depth > 0; i++) {
    await box.clock.pass(500);
    box.confirm();
    for (let seq = 1; seq <= 3; seq++) if (lane(box).awaiting.has(seq)) box.outbox.onAnswer(STATE, seq, STORED);
  }
  assert.deepEqual(box.link.payloads, ["1", "2", "1", "2", "3"]);
  assert.equal(state(box).depth, 0);
});

test("of a subject that waits, no later message goes to see in the place of one that waits already", async () => {
  await using box = await openDirect();
  box.publish("orders.a", ["1"]);
  box.confirm();
  await box.clock.pass(11_100); // no answer: the subject waits
  box.outbox.onAnswer(STATE, 1, STORED); // late: nothing of it waits any more
  await box.clock.pass(1_500);
  box.publish("orders.a", ["2"]);
  box.link.window = 0;
  box.publish("orders.a", ["3"]); // the lane falls behind with this one
  box.link.window = Number.POSITIVE_INFINITY;
  box.outbox.onRoom();
  for (let i = 0; i < 20 && state(box).depth > 0; i++) {
    await box.clock.pass(500);
    box.confirm();
    for (let seq = 2; seq <= 3; seq++) if (lane(box).awaiting.has(seq)) box.outbox.onAnswer(STATE, seq, STORED);
  }
  assert.deepEqual(box.link.payloads, ["1", "2", "3"]);
  assert.equal(state(box).depth, 0);
});

test("a message that no stream will ever take is done with at once, and holds nothing up", async () => {
  await using box = await openDirect();
  box.publish("orders.a", ["1", "2"]);
  box.confirm();
  box.outbox.onAnswer(STATE, 1, TOO_LARGE);
  box.outbox.onAnswer(STATE, 2, STORED);
  const { depth, held, delivered } = state(box);
  assert.deepEqual({ depth, held, delivered }, { depth: 0, held: 0, delivered: 1 });
});

test("what no stream will ever take and no flash holds is written down before its publisher hears that it is safe", async () => {
  await using box = await openDirect({ commit_interval: "1s" });
  box.publish("orders.a", ["1"]);
  const second = box.publish("orders.a", ["2"]);
  box.confirm();
  const { writes } = box.disk.counters;
  box.outbox.onAnswer(STATE, 1, TOO_LARGE);
  box.outbox.onAnswer(STATE, 2, STORED);
  assert.deepEqual([box.safe, box.losses()], [[], { refused: 1 }]);
  await box.clock.pass(1_000);
  await box.commit();
  assert.equal(box.safe.at(-1), second);
  assert.match(box.disk.peek("/data/outbox/EDGE/ledger").toString(), /"refused"/);
  assert.ok(box.disk.counters.writes > writes);
  assert.equal(state(box).commits, 0, "the messages themselves never were on flash");
});

test("that no stream will ever take it may also be said late, after it was given up", async () => {
  await using box = await openDirect();
  const ticket = box.publish("orders.a", ["1"]);
  box.confirm();
  await box.clock.pass(11_900);
  assert.deepEqual([state(box).awaiting, state(box).held], [0, 1]);
  box.outbox.onAnswer(STATE, 1, TOO_LARGE);
  assert.deepEqual([state(box).held, state(box).depth, box.losses()], [0, 0, { refused: 1 }]);
  box.outbox.onAnswer(STATE, 1, TOO_LARGE);
  assert.deepEqual(box.losses(), { refused: 1 }, "once");
  assert.equal(box.safe.at(-1), ticket);
});

test("answers in any order let go of what they are for; the oldest that is missing keeps the rest", async () => {
  await using box = await openDirect();
  const ticket = box.publish("orders.a", ["1", "2", "3"]);
  box.confirm();
  box.outbox.onAnswer(STATE, 3, STORED);
  box.outbox.onAnswer(STATE, 1, STORED);
  assert.deepEqual([state(box).held, box.safe.length], [1, 0]);
  box.outbox.onAnswer(STATE, 2, STORED);
  assert.deepEqual(box.safe.at(-1), ticket);
  assert.equal(state(box).depth, 0);
});

test("answers for what was never sent, or is long done, or makes no sense change nothing", async () => {
  await using box = await openDirect();
  box.publish("orders.a", ["1"]);
  box.confirm();
  for (const seq of [0, -1, 2, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    box.outbox.onAnswer(STATE, seq, STORED);
    box.outbox.onAnswer(STATE, seq, TOO_LARGE);
  }
  box.outbox.onAnswer(7, 1, STORED);
  box.outbox.onAnswer(0, 1, STORED);
  assert.deepEqual([state(box).awaiting, state(box).held, state(box).delivered], [1, 1, 0]);
});

test("with as many unanswered as may be, the lane waits for answers and keeps the rest", async () => {
  await using box = await openDirect();
  const payloads = Array.from({ length: 100 }, (_, i) => `${i}`);
  for (let sent = 0; sent < 4100; sent += 100) box.publish("orders.a", payloads);
  await box.commit();
  box.confirm();
  await box.commit();
  assert.equal(state(box).awaiting, WINDOW_START);
  assert.equal(state(box).mode, "draining");
  assert.equal(box.link.payloads.length, WINDOW_START);
  assert.equal(lane(box).isBehind, false, "nobody else waits for it meanwhile");
  for (let seq = 1; seq <= 4200; seq++) {
    box.outbox.onAnswer(STATE, seq, STORED);
    if (seq % 50 === 0) await box.commit();
  }
  for (let i = 0; i < 3; i++) {
    box.confirm();
    await box.commit();
  }
  for (let seq = 1; seq <= 4200; seq++) box.outbox.onAnswer(STATE, seq, STORED);
  assert.deepEqual([state(box).depth, state(box).mode, box.link.payloads.length], [0, "direct", 4100]);
});

test("a lane that waited for answers goes on when a quarter of them has come, not after each", async () => {
  await using box = await openDirect();
  box.publishAll(Array.from({ length: 6000 }, (_, i) => ({ subject: "orders.a", payload: `${i}` })));
  await box.commit();
  const answer = async (through: number) => {
    for (let seq = 1; seq <= through; seq++) box.outbox.onAnswer(STATE, seq, STORED);
    box.confirm();
    await box.commit();
    return state(box).awaiting;
  };
  // Each answer that comes at once makes room for one more.
  assert.equal(state(box).awaiting, WINDOW_START);
  assert.equal(await answer(50), WINDOW_START - 50);
  assert.equal(await answer(100), WINDOW_START + 100);
  for (let rounds = 0; rounds < 10; rounds++) {
    assert.ok(state(box).awaiting <= WINDOW_MAX);
    await answer(box.link.payloads.length);
  }
  assert.deepEqual([state(box).awaiting, state(box).depth], [0, 0]);
});

test("a stream that takes seconds for its answers has less and less before it, and is not taken for silent", async () => {
  await using box = await openDirect();
  box.publishAll(Array.from({ length: 6000 }, (_, i) => ({ subject: "orders.a", payload: `${i}` })));
  await box.commit();
  let answered = 0;
  // 40 a second: what is under way at first takes longer than silence may.
  for (let seconds = 0; seconds < 60; seconds++) {
    for (let i = 0; i < 40 && answered < box.link.payloads.length; i++) box.outbox.onAnswer(STATE, ++answered, STORED);
    await box.clock.pass(1_000);
    await box.commit();
  }
  assert.equal(box.outbox.status().suspendedSubjects, 0);
  assert.ok(state(box).awaiting <= 4 * 40, `${state(box).awaiting} are under way`);
  assert.equal(box.link.payloads.length, new Set(box.link.payloads).size, "nothing was sent twice");
});

test("with no inbox to hear a stream in, messages are kept until there is one", async () => {
  await using box = await OutboxHarness.open({ rules: RULES });
  box.link.inbox = null;
  box.up();
  await box.commit();
  const ticket = box.publish("orders.a", ["1"]);
  box.confirm();
  await box.commit();
  assert.deepEqual(box.link.payloads, []);
  assert.equal(state(box).held, 1);
  assert.equal(box.safe.at(-1), ticket, "safe on flash");
  box.down();
  box.link.inbox = "_INBOX.other";
  box.up();
  await box.commit();
  assert.deepEqual(box.link.payloads, ["1"]);
  assert.match(box.link.text, /HMSG orders\.a _INBOX\.other\.1\.1 /);
});

test("the oldest that gives way to a limit is awaited no more, and its late answer changes nothing", async () => {
  await using box = await openDirect();
  box.publish("orders.a", ["1"]);
  box.confirm();
  await box.commit();
  assert.deepEqual([state(box).awaiting, state(box).depth], [1, 1]);
  const dropping = lane(box).givingUp.dropOldest();
  await box.clock.pass(3000); // its stream says nothing
  assert.equal((await dropping)?.records, 1);
  assert.deepEqual([state(box).awaiting, state(box).held, state(box).depth], [0, 0, 0]);
  box.outbox.onAnswer(STATE, 1, STORED);
  assert.equal(state(box).delivered, 0);
  await box.clock.pass(30_000);
  assert.equal(times(box, "1"), 1);
});

test("settling waits for the streams, too, and no longer than it may", async () => {
  await using box = await openDirect();
  box.publish("orders.a", ["1"]);
  box.confirm();
  let isSettled = false;
  const settled = lane(box)
    .settle(5_000)
    .then(() => {
      isSettled = true;
    });
  await box.commit();
  assert.equal(isSettled, false);
  box.outbox.onAnswer(STATE, 1, STORED);
  await settled;
  box.publish("orders.a", ["2"]);
  box.confirm();
  const inVain = lane(box).settle(5_000);
  await box.clock.pass(5_000);
  await inVain;
  assert.equal(state(box).awaiting, 1);
});

test("doubt begins with the oldest message that may have arrived, outlives the link, and ends with an answer", async () => {
  await using box = await openDirect();
  const { lanes } = box.outbox;
  assert.equal(lanes.doubt(), null);
  const before = box.clock.now();
  box.publish("orders.a", ["1"]);
  box.confirm();
  const since = lanes.doubt()!.sinceMs;
  assert.ok(since >= before - 1000 && since <= before, `${since}, sent at ${before}`);
  await box.clock.pass(5_000);
  box.down();
  await box.clock.pass(60_000);
  assert.equal(lanes.doubt()!.sinceMs, since);
  box.up();
  await box.commit();
  assert.equal(lanes.doubt()!.sinceMs, since, "it is the first time that counts");
  box.outbox.onAnswer(STATE, 1, STORED);
  box.confirm();
  assert.equal(lanes.doubt(), null);
});
