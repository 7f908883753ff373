// `confirm: auto`: a stream's word where a stream takes the subject, the hub's where none does.

import assert from "node:assert/strict";
import { test } from "node:test";
import { STORED_TIMEOUT_MS } from "#outbox/awaiting.ts";
import { REFRESH_MS } from "#outbox/streams/captures.ts";
import type { PubAck } from "#outbox/streams/pub-ack.ts";
import { OutboxHarness } from "../harness.ts";

const STATE = 1; // index of the class
const RULES = [{ subjects: [">"], keep: "always" }];
const SENSORS = { name: "S", filters: ["sensors.>"], isMute: false };
const STORED: PubAck = { is: "stored", stream: "S", seq: 1, isDuplicate: false };
const NO_STREAM: PubAck = { is: "refused", code: 503, errCode: 0, text: "none", isFinal: false, why: "no_stream" };

const state = (box: OutboxHarness) => box.outbox.status().lanes[STATE]!;

/** A hub with JetStream, with these streams, and a link to it. */
async function openAuto(streams = [SENSORS], rules: object[] = RULES): Promise<OutboxHarness> {
  const box = await OutboxHarness.open({ rules: rules as [] });
  box.streams = [...streams];
  box.up();
  await box.commit();
  return box;
}

test("where a stream takes the subject its PubAck is waited for, elsewhere the PONG", async () => {
  await using box = await openAuto();
  const first = box.publish("sensors.a", ["1"]);
  await box.commit();
  const second = box.publish("other.a", ["2"]);
  await box.commit();
  assert.match(box.link.text, /HMSG sensors\.a _INBOX\.life\.1\.1 /);
  assert.match(box.link.text, /HMSG other\.a \d+ \d+\r\n/);
  box.confirm();
  assert.deepEqual([state(box).delivered, state(box).awaiting], [1, 1], "the PONG is no word of the stream");
  box.outbox.onAnswer(STATE, 1, STORED);
  await box.commit();
  assert.deepEqual([state(box).depth, state(box).mode], [0, "direct"]);
  assert.ok(box.safe.at(-1)! >= Math.max(first, second));
});

test("while the hub is being asked nothing of it is sent; then all of it is, in order", async () => {
  await using box = await OutboxHarness.open({ rules: RULES });
  box.streams = [SENSORS];
  box.tellStreams = () => undefined;
  box.publish("sensors.a", ["1", "2"]);
  box.publish("other.a", ["3"]);
  await box.commit();
  box.up();
  box.publish("sensors.a", ["4"]);
  await box.commit();
  assert.deepEqual(box.link.payloads, []);
  assert.equal(box.outbox.lanes.all[STATE]!.isBehind, false, "no lane below waits for this one");
  box.tellStreams();
  box.tellStreams = undefined;
  await box.commit();
  assert.deepEqual(box.link.payloads, ["1", "2", "3", "4"]);
  assert.equal(state(box).awaiting, 3);
});

test("a link that falls while the hub is being asked: the next one asks anew, and nothing is lost", async () => {
  await using box = await OutboxHarness.open({ rules: RULES });
  box.streams = [SENSORS];
  box.tellStreams = () => undefined;
  box.up();
  box.publish("sensors.a", ["1"]);
  await box.commit();
  const late = box.tellStreams;
  box.down();
  box.tellStreams = undefined;
  box.up();
  await box.commit();
  late();
  await box.commit();
  assert.deepEqual([box.link.payloads, state(box).awaiting], [["1"], 1]);
});

test("a hub without JetStream, and one where we hear no answers: the PONG counts, and nothing waits", async () => {
  await using box = await OutboxHarness.open({ rules: RULES });
  box.up();
  await box.commit();
  box.publish("sensors.a", ["1"]);
  assert.match(box.link.text, /HMSG sensors\.a \d+ \d+\r\n/);
  box.confirm();
  assert.equal(state(box).depth, 0);
});

test("a stream that is made while the link lives is found, and what is sent from then on waits for it", async () => {
  await using box = await openAuto([]);
  box.publish("sensors.a", ["1"]);
  await box.commit();
  box.confirm();
  box.streams = [SENSORS];
  box.outbox.onInterest("sensors.>");
  box.publish("sensors.a", ["2"]);
  await box.commit();
  assert.deepEqual([box.link.payloads, state(box).awaiting], [["1", "2"], 1]);
  box.outbox.onAnswer(STATE, 2, STORED);
  box.confirm();
  assert.equal(state(box).depth, 0);
});

test("what waits for a stream that is gone goes without it, and is not lost", async () => {
  await using box = await openAuto();
  box.publish("sensors.a", ["1", "2"]);
  await box.commit();
  box.streams = [];
  await box.clock.pass(STORED_TIMEOUT_MS + 3_000);
  for (let i = 0; i < 30; i++) {
    box.confirm();
    await box.clock.pass(1_000);
    await box.commit();
  }
  assert.deepEqual(box.link.payloads, ["1", "2", "1", "2"]);
  assert.deepEqual([state(box).depth, box.outbox.status().suspendedSubjects], [0, 0]);
  assert.deepEqual(box.losses(), {});
});

test("a stream that refuses holds its subject back; when it is gone the subject goes on without", async () => {
  await using box = await openAuto();
  box.publish("sensors.a", ["1"]);
  await box.commit();
  box.outbox.onAnswer(STATE, 1, NO_STREAM);
  assert.equal(box.outbox.status().suspendedSubjects, 1);
  box.publish("sensors.a", ["2"]);
  box.streams = [];
  for (let i = 0; i < 20; i++) {
    box.confirm();
    await box.clock.pass(1_000);
    await box.commit();
  }
  assert.deepEqual([state(box).depth, box.outbox.status().suspendedSubjects], [0, 0]);
  assert.deepEqual(box.link.payloads.slice(-2), ["1", "2"]);
});

test("a stream that acknowledges nothing is waited for by nobody", async () => {
  await using box = await openAuto([{ ...SENSORS, isMute: true }]);
  box.publish("sensors.a", ["1"]);
  await box.commit();
  box.confirm();
  assert.equal(state(box).depth, 0);
});

test("a rule that says accepted keeps to the PONG, and status names what a stream takes of it", async () => {
  await using box = await openAuto([SENSORS], [{ subjects: [">"], keep: "always", confirm: "accepted" }]);
  box.publishAll([
    { subject: "sensors.a", payload: "1" },
    { subject: "other.a", payload: "2" },
  ]);
  box.confirm();
  assert.equal(state(box).depth, 0);
  await box.commit();
  box.publish("sensors.a", ["3"]);
  assert.deepEqual(box.outbox.status().unproven, ["sensors.a"]);
  box.streams = [];
  await box.clock.pass(REFRESH_MS);
  box.publish("sensors.a", ["4"]);
  assert.deepEqual(box.outbox.status().unproven, []);
});

test("what is not kept never waits for a word about streams", async () => {
  await using box = await OutboxHarness.open({ rules: [{ subjects: [">"], keep: "durable" }] });
  box.streams = [SENSORS];
  box.tellStreams = () => undefined;
  box.up();
  box.publish("sensors.a", ["1"], { qos: 0 });
  assert.match(box.link.text, /LMSG sensors\.a 1\r\n1/);
  box.tellStreams();
});

test("a copy for a hub that speaks MQTT which finds that it does not is nobody's loss", async () => {
  await using box = await OutboxHarness.open({ rules: RULES as [] });
  box.listening.set("$MQTT.msgs.sensors.a", "unknown");
  box.publishAll([
    { subject: "sensors.a", payload: "1" },
    { subject: "$MQTT.msgs.sensors.a", payload: "1" },
  ]);
  await box.commit();
  assert.equal(state(box).depth, 2);
  box.listening.set("$MQTT.msgs.sensors.a", "never");
  box.up();
  await box.commit();
  box.confirm();
  await box.commit();
  assert.deepEqual([box.link.payloads, state(box).depth, box.losses()], [["1"], 0, {}]);
});

test("a hub that has a JetStream only later is asked then, and until then the PONG counts", async () => {
  await using box = await OutboxHarness.open({ rules: RULES });
  box.publish("sensors.a", ["1", "2"]);
  await box.commit();
  box.link.window = 1; // one at a time
  box.up();
  await box.commit();
  assert.deepEqual([box.link.payloads, state(box).awaiting], [["1"], 0]);
  box.streams = [SENSORS];
  box.outbox.onInterest("$JS.API.>");
  box.confirm();
  await box.commit();
  assert.deepEqual([box.link.payloads, state(box).awaiting], [["1", "2"], 1]);
  box.outbox.onAnswer(STATE, 2, STORED);
  box.confirm();
  assert.equal(state(box).depth, 0);
});
