import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadAverage } from "#ingress/mqtt/load-average.ts";
import type { KeptMessage } from "#ingress/mqtt/message.ts";
import type { SysFigures } from "#ingress/mqtt/sys-figures.ts";
import { SysTopics } from "#ingress/mqtt/sys-topics.ts";
import { mapFilter, subjectToTopic } from "#ingress/mqtt/topic.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const ZERO: SysFigures = {
  connected: 0,
  publishesIn: 0,
  publishesOut: 0,
  publishesDropped: 0,
  bytesIn: 0,
  bytesOut: 0,
  subscriptions: 0,
};

function open(interval: number | null = 10_000) {
  const clock = new FakeClock();
  const broker = { figures: ZERO, looks: 0 };
  const figures = () => {
    broker.looks += 1;
    return broker.figures;
  };
  return { clock, broker, topics: new SysTopics({ clock, version: "petiole 1.2.3", interval, figures }) };
}

function shown(messages: Iterable<KeptMessage>): Record<string, string> {
  return Object.fromEntries([...messages].map(({ subject, payload }) => [subjectToTopic(subject), payload.toString()]));
}

test("SUBSCRIBE finds the figures of now as retained messages, under mosquitto's topics and in its texts", () => {
  const { clock, broker, topics } = open();
  clock.advance(61_999);
  broker.figures = { ...ZERO, connected: 3, disconnected: 2, retained: 7, packetsIn: 60, publishesIn: 30, subscriptions: 4 };
  const found = shown(topics.match("$SYS.broker.>"));
  assert.equal(found["$SYS/broker/version"], "petiole 1.2.3");
  assert.equal(found["$SYS/broker/uptime"], "61 seconds");
  assert.equal(found["$SYS/broker/clients/connected"], "3");
  assert.equal(found["$SYS/broker/clients/total"], "5");
  assert.equal(found["$SYS/broker/retained messages/count"], "7");
  assert.equal(found["$SYS/broker/subscriptions/count"], "4");
  assert.match(found["$SYS/broker/load/messages/received/1min"]!, /^3\d\.\d\d$/);
  assert.equal(found["$SYS/broker/store/messages/bytes"], undefined); // nobody counts it yet
  assert.deepEqual(Object.keys(shown(topics.match("$SYS.broker.clients.*"))), [
    "$SYS/broker/clients/connected",
    "$SYS/broker/clients/active",
    "$SYS/broker/clients/disconnected",
    "$SYS/broker/clients/inactive",
    "$SYS/broker/clients/total",
  ]);
  assert.ok([...topics.match("$SYS.>")].every(({ isRetained, qos }) => isRetained && qos === 0));
  for (const { subject } of topics.match("$SYS.>")) assert.deepEqual(mapFilter(subjectToTopic(subject)), [subject]);
});

test("watchers are told every interval what changed under their filter, and not as retained", () => {
  const { clock, broker, topics } = open();
  const told: [string, string, boolean][] = [];
  const tell = ({ subject, payload, isRetained }: KeptMessage) => void told.push([subject, payload.toString(), isRetained]);
  using _watch = topics.watch("$SYS.broker.clients.>", tell);
  clock.advance(10_000);
  assert.deepEqual(told, []);
  broker.figures = { ...ZERO, connected: 1, subscriptions: 9 };
  clock.advance(10_000);
  assert.deepEqual(told, [
    ["$SYS.broker.clients.connected", "1", false],
    ["$SYS.broker.clients.active", "1", false],
  ]);
  clock.advance(50_000);
  assert.equal(told.length, 2);
});

test("nothing is computed and no timer runs while nobody watches", () => {
  const { clock, broker, topics } = open();
  clock.advance(86_400_000);
  assert.equal(broker.looks, 0);
  const [one, two] = [topics.watch("$SYS.>", () => undefined), topics.watch("$SYS.broker.uptime", () => undefined)];
  const before = broker.looks;
  clock.advance(30_000);
  assert.equal(broker.looks, before + 3);
  one[Symbol.dispose]();
  one[Symbol.dispose]();
  clock.advance(10_000);
  assert.equal(broker.looks, before + 4);
  two[Symbol.dispose]();
  clock.advance(86_400_000);
  assert.equal(broker.looks, before + 4);
});

test("one that stops to watch while it is told harms nobody, and closing ends all", () => {
  const { clock, topics } = open();
  let heard = 0;
  const first = topics.watch("$SYS.>", () => first[Symbol.dispose]());
  topics.watch("$SYS.broker.uptime", () => void (heard += 1));
  clock.advance(10_000);
  assert.equal(heard, 1);
  topics[Symbol.dispose]();
  clock.advance(10_000);
  assert.equal(heard, 1);
});

test("with sys_interval null there are no such topics", () => {
  const { clock, broker, topics } = open(null);
  using _watch = topics.watch("$SYS.>", () => assert.fail("told"));
  clock.advance(86_400_000);
  assert.deepEqual([[...topics.match("$SYS.>")], broker.looks], [[], 0]);
});

test("only filters under $SYS are theirs, so that a client's # goes to the router alone", () => {
  const { topics } = open();
  assert.deepEqual(
    ["$SYS.broker.>", "$SYS.>", "$SYS", ">", "*.broker", "$SYSTEM.a", "sys.broker"].map((filter) => topics.isOurs(filter)),
    [true, true, true, false, false, false, false],
  );
});

test("a steady rise shows as the same average over all spans, however seldom one looks, and fades when it ends", () => {
  const load = new LoadAverage(0);
  for (let minute = 1; minute <= 120; minute++) load.look(minute * 600, minute * 60_000);
  const [one, five, fifteen] = load.look(121 * 600, 121 * 60_000);
  assert.ok(Math.abs(one! - 600) < 0.01 && Math.abs(five! - 600) < 0.01 && Math.abs(fifteen! - 600) < 1);
  const seldom = new LoadAverage(0).look(121 * 600, 121 * 60_000);
  assert.ok(Math.abs(seldom[0]! - 600) < 0.01);
  const after = load.look(121 * 600, 122 * 60_000);
  assert.ok(Math.abs(after[0]! - 600 / Math.E) < 0.1);
  assert.deepEqual(load.look(0, 122 * 60_000), after); // twice in one moment is once
});
