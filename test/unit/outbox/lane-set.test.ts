// Several lanes over one link: who goes first, who must not be kept waiting, and what a batch in several lanes waits for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SEQ_RUNS_MAX } from "#outbox/seq-set.ts";
import { turn } from "../../support/fake-clock.ts";
import { OutboxHarness } from "./harness.ts";

const RULES = [
  { subjects: ["alarms.>"], class: "alarm", keep: "always" },
  { subjects: ["sensors.>"], class: "telemetry", keep: "always" },
  { subjects: ["logs.>"], class: "bulk", keep: "always" },
  { subjects: [">"], keep: "always" },
];

test("a batch spread over all lanes is safe when the last of its parts is, and not before", async () => {
  await using box = await OutboxHarness.open({ rules: RULES });
  box.up();
  const ticket = box.publishAll([
    { subject: "logs.a", payload: "b" },
    { subject: "alarms.a", payload: "a" },
    { subject: "sensors.a", payload: "t" },
    { subject: "state.a", payload: "s" },
  ]);
  for (let receipts = 0; receipts < 3; receipts++) {
    box.outbox.onReceipt();
    assert.deepEqual(box.safe, [], `after ${receipts + 1} of 4 receipts`);
  }
  box.outbox.onReceipt();
  assert.deepEqual(box.safe, [ticket]);
});

test("a lane that nothing is in doubt of has the link before the others, and what is behind them holds it up no more", async () => {
  await using box = await OutboxHarness.open({ rules: RULES });
  const { lanes } = box.outbox;
  const alarm = lanes.lane("alarm");
  box.publish("alarms.a", ["a"]);
  box.publish("sensors.a", ["t"]);
  lanes.onReady(box.link, (lane) => lane === alarm);
  await box.commit();
  assert.deepEqual(box.link.payloads, ["a"]);
  lanes.onReady(box.link, (lane) => lane !== alarm);
  await box.commit();
  assert.deepEqual(box.link.payloads, ["a", "t"]);
  box.confirm();
  assert.equal(box.outbox.status().depth, 0);
  lanes.onReady(box.link, () => false);
  box.down();
});

test("receipts that the last link owed are not taken for those of the next", async () => {
  await using box = await OutboxHarness.open({ rules: RULES });
  box.up();
  const first = box.publish("sensors.a", ["t"]);
  box.down(); // with its PING unanswered
  box.up();
  await turn();
  const second = box.publish("alarms.a", ["a"]);
  box.outbox.onReceipt();
  assert.deepEqual(box.safe, [first]);
  box.outbox.onReceipt();
  assert.deepEqual(box.safe, [first, second]);
});

test("while a lane cannot read its backlog those below it go on, and they wait again once it can", async () => {
  await using box = await OutboxHarness.open({ rules: RULES });
  for (let i = 0; i < 30; i++) box.publish("alarms.a", [`a${i}-${"x".repeat(1000)}`]);
  await box.commit();
  box.publish("sensors.a", ["t0"]);
  await box.commit();
  box.disk.faults.isUnreadable = (path) => path.includes("/alarm/");
  box.link.window = 8_000;
  box.up();
  await box.commit();
  assert.deepEqual(box.link.payloads, ["t0"]);
  assert.match(box.outbox.status().fault!, /JOURNAL_READ_FAILED|refuses/);
  box.disk.faults.isUnreadable = undefined;
  await box.clock.pass(1_100);
  assert.equal(box.outbox.status().fault, null, "it reads again, though it is still behind");
  box.publish("sensors.a", ["t1"]);
  for (let i = 0; i < 20; i++) {
    box.confirm();
    await box.commit();
  }
  const sent = box.link.payloads.map((payload) => payload.replace(/-x+$/, ""));
  assert.ok(sent.indexOf("t1") > sent.indexOf("a14"), `its share of 16 KiB comes first: ${sent}`);
  assert.equal(sent.length, 32);
  assert.equal(box.outbox.status().depth, 0);
});

test("a lane that can hold no more keeps nobody waiting, also when its oldest have given way", async () => {
  await using box = await OutboxHarness.open({ rules: RULES, max_age: "1h" });
  box.listening.set("alarms.nobody", "before");
  box.clock.setWall(box.clock.wall() + 3_600_000);
  fillHeld(box);
  box.up();
  await box.commit();
  box.publish("alarms.nobody", ["one too many"]);
  await box.commit();
  assert.equal(box.outbox.status().lanes[0]!.mode, "draining");
  box.publish("sensors.a", ["t0"]);
  box.confirm();
  await box.commit();
  assert.equal(box.link.payloads.at(-1), "t0");
  box.clock.setWall(box.clock.wall() + 2 * 3_600_000);
  box.publish("sensors.a", ["t1"]);
  box.confirm();
  for (let i = 0; i < 5; i++) await box.commit();
  box.publish("sensors.a", ["t2"]);
  for (let i = 0; i < 5; i++) {
    box.confirm();
    await box.commit();
  }
  assert.deepEqual(box.link.payloads.slice(-2), ["t1", "t2"]);
});

test("a lane that can hold no more sends what it holds when somebody listens, and goes on", async () => {
  await using box = await OutboxHarness.open({ rules: RULES });
  box.listening.set("alarms.nobody", "before");
  box.up();
  fillHeld(box);
  box.publish("alarms.nobody", ["one too many"]);
  box.confirm();
  for (let i = 0; i < 5; i++) await box.commit();
  assert.equal(box.outbox.status().lanes[0]!.held, SEQ_RUNS_MAX);
  box.listening.set("alarms.nobody", "now");
  box.outbox.onInterest("alarms.nobody");
  for (let i = 0; i < 100 && box.outbox.status().depth > 0; i++) {
    box.confirm();
    await box.commit();
  }
  const { held, depth, mode } = box.outbox.status();
  assert.deepEqual({ held, depth, mode }, { held: 0, depth: 0, mode: "direct" });
  const nobody = box.link.payloads.filter((payload) => payload.startsWith("held") || payload === "one too many");
  assert.equal(nobody.length, SEQ_RUNS_MAX + 1);
  assert.equal(nobody.at(-1), "one too many");
});

/** As many runs of held messages as a lane takes: each between two that are sent. */
function fillHeld(box: OutboxHarness): void {
  for (let i = 0; i < SEQ_RUNS_MAX; i += 128) {
    box.publishAll(
      Array.from({ length: 256 }, (_, n) =>
        n % 2 === 0
          ? { subject: "alarms.nobody", payload: `held${i + n / 2}` }
          : { subject: "alarms.somebody", payload: `sent${i + (n - 1) / 2}` },
      ),
    );
    box.confirm();
  }
}

test("an alarm passes the backlog of everything less urgent, and each lane keeps its order", async () => {
  const rules = [
    { subjects: ["alarms.>"], class: "alarm", keep: "always" },
    { subjects: ["sensors.>"], class: "telemetry", keep: "always" },
    { subjects: [">"] },
  ];
  await using box = await OutboxHarness.open({ rules });
  box.publish(
    "sensors.a",
    Array.from({ length: 40 }, (_, i) => `t${i}-${"x".repeat(1000)}`),
  );
  await box.commit();
  box.link.window = 10_000;
  box.up();
  await box.commit();
  const before = box.link.payloads.length;
  assert.ok(before > 0 && before < 20, `${before} of the backlog are under way`);
  box.publish("alarms.fire", ["a0"]);
  box.publish("state.x", ["s0"]);
  box.publish("alarms.fire", ["a1"]);
  await box.commit();
  for (let i = 0; i < 20; i++) {
    box.confirm();
    await box.commit();
  }
  const sent = box.link.payloads.map((payload) => payload.replace(/-x+$/, ""));
  assert.deepEqual(sent.slice(before, before + 3), ["a0", "a1", "s0"], "right behind what was under way");
  assert.deepEqual(
    sent.filter((payload) => payload.startsWith("t")),
    Array.from({ length: 40 }, (_, i) => `t${i}`),
  );
  assert.equal(box.outbox.status().depth, 0);
});

test("a batch spread over two lanes is safe when both of its parts are", async () => {
  const rules = [
    { subjects: ["alarms.>"], class: "alarm", keep: "always" },
    { subjects: [">"], keep: "always" },
  ];
  await using box = await OutboxHarness.open({ rules });
  box.up();
  const first = box.publish("alarms.fire", ["a0"]);
  const second = box.publish("state.x", ["s0"]);
  box.outbox.onReceipt(); // of the alarm's lane, which asked first
  assert.deepEqual(box.safe, [first]);
  box.outbox.onReceipt();
  assert.deepEqual(box.safe, [first, second]);
});

test("what gives way when the card is full is the least urgent, oldest first", async () => {
  const rules = [
    { subjects: ["alarms.>"], class: "alarm", keep: "always" },
    { subjects: ["bulk.>"], class: "bulk", keep: "always" },
    { subjects: [">"], keep: "always" },
  ];
  await using box = await OutboxHarness.open({ rules, max_bytes: "1MiB" });
  const body = "x".repeat(10_000);
  box.publish("alarms.fire", ["a0"]);
  await box.commit();
  for (let i = 0; i < 60; i++) {
    box.publish("bulk.log", [`b${i}-${body}`]);
    box.publish("state.x", [`s${i}-${body}`]);
    await box.commit();
  }
  const lost = new Map(box.outbox.losses.list().map(({ lane, messages }) => [lane, messages]));
  assert.ok((lost.get("bulk") ?? 0) > 0 && !lost.has("state") && !lost.has("alarm"), JSON.stringify([...lost]));
});
