import assert from "node:assert/strict";
import { test } from "node:test";
import { Shares } from "#outbox/shares.ts";
import { OutboxHarness } from "./harness.ts";

const RULES = [
  { subjects: ["alarms.>"], class: "alarm", keep: "always" },
  { subjects: ["state.>"], class: "state", keep: "always" },
  { subjects: ["sensors.>"], class: "telemetry", keep: "always" },
  { subjects: [">"], class: "bulk", keep: "always" },
];

test("while the alarms drain, each class below them gets its share of what they write", async () => {
  await using box = await OutboxHarness.open({ rules: RULES });
  const subjects = ["alarms.a", "state.a", "sensors.a", "logs.a"];
  for (const subject of subjects) {
    for (let i = 0; i < 600; i++) box.publish(subject, [`${subject}-${"x".repeat(900)}`]);
  }
  await box.commit();
  box.link.window = 8_000;
  box.up();
  const counts = () => subjects.map((subject) => box.link.payloads.filter((payload) => payload.startsWith(subject)).length);
  for (let i = 0; i < 2_000 && counts()[0]! < 500; i++) {
    await box.commit();
    box.confirm();
  }
  const [alarms, state, sensors, logs] = counts() as [number, number, number, number];
  assert.ok(alarms >= 500 && alarms < 600, `${alarms} alarms`);
  near(state, alarms / 8, "state");
  near(sensors, (alarms + state) / 16, "telemetry");
  near(logs, (alarms + state + sensors) / 32, "bulk");
});

test("a lane earns while it waits and only then: nothing is saved up for a burst", () => {
  const lanes = [lane(true), lane(false), lane(true), lane(true)];
  const shares = new Shares(lanes);
  shares.onWritten(0, 1_000_000);
  assert.equal(shares.isOutranked(2), true);
  assert.equal(shares.creditOf(2), 0, "it had not asked");
  shares.onWritten(0, 32_768);
  assert.equal(shares.creditOf(2), 2_048);
  assert.equal(shares.creditOf(3), 0);
  shares.onWritten(0, 100_000_000);
  assert.equal(shares.creditOf(2), 65_536);
  lanes[2]!.isBehind = false;
  shares.onPass(0);
  lanes[2]!.isBehind = true;
  assert.equal(shares.creditOf(2), 0, "it had nothing to send, and has nothing now");
});

test("what a lane wrote beyond its credit it earns back first", () => {
  const lanes = [lane(true), lane(true), lane(false), lane(false)];
  const shares = new Shares(lanes);
  assert.equal(shares.creditOf(1), 0);
  shares.onWritten(0, 8_192);
  shares.onPass(0);
  assert.equal(lanes[1]!.rooms, 1);
  shares.onWritten(1, 5_120);
  assert.equal(shares.creditOf(1), 0);
  shares.onWritten(0, 32_768);
  shares.onPass(0);
  assert.equal(lanes[1]!.rooms, 1, "4 KiB earned, 4 KiB owed");
  shares.onWritten(0, 8_192);
  shares.onPass(0);
  assert.equal(lanes[1]!.rooms, 2);
});

test("a lane that nobody outranks any more forgets what it owes", () => {
  const lanes = [lane(true), lane(true), lane(false), lane(false)];
  const shares = new Shares(lanes);
  shares.creditOf(1);
  shares.onWritten(1, 1_000_000);
  lanes[0]!.isBehind = false;
  assert.equal(shares.isOutranked(1), false);
  lanes[0]!.isBehind = true;
  shares.creditOf(1);
  shares.onWritten(0, 8_192);
  assert.equal(shares.creditOf(1), 1_024);
});

function lane(isBehind: boolean) {
  return {
    isBehind,
    rooms: 0,
    onRoom() {
      this.rooms += 1;
    },
  };
}

function near(found: number, wanted: number, what: string): void {
  assert.ok(found > wanted * 0.7 - 5 && found < wanted * 1.3 + 5, `${what}: ${found}, wanted about ${wanted}`);
}
