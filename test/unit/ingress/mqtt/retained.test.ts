import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createLog, type LogLine } from "#base/log.ts";
import type { Keeping } from "#ingress/mqtt/keeping.ts";
import type { KeptMessage } from "#ingress/mqtt/message.ts";
import { RetainedStore } from "#ingress/mqtt/retained.ts";
import { lastValuesOf } from "#ingress/mqtt/retained-answers.ts";
import { RetainedBudget } from "#ingress/mqtt/retained-budget.ts";
import { decodeRecord, encodeRecord, ownerOf } from "#ingress/mqtt/retained-records.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

/** Remembers what it was told, and by which urgency. */
class NoteBook implements Keeping {
  readonly values = new Map<string, Buffer>();
  readonly urgencies: string[] = [];
  isFull = false;
  safe = 0;
  #mark = 0;
  put(key: string, value: Buffer, urgency: "soon" | "lazy"): number {
    this.values.set(key, value);
    this.urgencies.push(`put ${urgency}`);
    return ++this.#mark;
  }
  delete(key: string, urgency: "soon" | "lazy"): number {
    this.values.delete(key);
    this.urgencies.push(`delete ${urgency}`);
    return ++this.#mark;
  }
  watch(): Disposable {
    return { [Symbol.dispose]: () => undefined };
  }
  *entries(prefix: string): Generator<readonly [string, Buffer]> {
    for (const entry of this.values) if (entry[0].startsWith(prefix)) yield entry;
  }
}

const LIMITS = { maxMessages: 1000, maxBytes: 1024 * 1024 };

function rig(limits = LIMITS, keeping = new NoteBook(), clock = new FakeClock()) {
  const lines: LogLine[] = [];
  const log = createLog(clock, "debug", (line) => lines.push(line));
  const budget = new RetainedBudget(limits);
  return {
    keeping,
    clock,
    budget,
    lines,
    open: (account = "EDGE") => new RetainedStore(account, { keeping, budget, clock, log }),
  };
}

function message(subject: string, payload: string, more: Partial<KeptMessage> = {}): KeptMessage {
  const rest = { headers: Buffer.alloc(0), reply: "", qos: 1 as const, isRetained: true, deadlineWall: 0 };
  return { subject, payload: Buffer.from(payload), ...rest, ...more };
}

function texts(store: RetainedStore, filter: string): string[] {
  return Array.from(store.match(filter), ({ subject, payload }) => `${subject}=${payload}`).sort();
}

test("MQTT-3.3.1-5: the last retained message of a topic is kept, with its QoS", () => {
  const { open } = rig();
  using store = open();
  store.put(message("plant.7.temp", "20"), "u");
  store.put(message("plant.7.temp", "21", { qos: 2 }), "u");
  store.put(message("plant.8.temp", "9", { qos: 0 }), "u");
  assert.deepEqual(texts(store, "plant.*.temp"), ["plant.7.temp=21", "plant.8.temp=9"]);
  assert.deepEqual([store.get("plant.7.temp")?.message.qos, store.get("plant.7.temp")?.message.isRetained], [2, true]);
  assert.equal(store.size, 2);
});

test("MQTT-3.3.1-10: an empty payload removes the retained message of the topic", () => {
  const { open, keeping, budget } = rig();
  using store = open();
  store.put(message("a", "1"), "u");
  assert.notEqual(store.put(message("a", ""), "u"), "full");
  assert.deepEqual([texts(store, ">"), keeping.values.size, budget.messages, budget.bytes], [[], 0, 0, 0]);
  assert.equal(store.put(message("a", "", { qos: 0 }), "u"), 0, "nothing was there: nothing to wait for");
});

test("QoS 0 is written lazily, QoS 1 and 2 soon, and so are their removals", () => {
  const { open, keeping } = rig();
  using store = open();
  for (const qos of [0, 1, 2] as const) store.put(message("a", "1", { qos }), "u");
  store.put(message("a", "", { qos: 0 }), "u");
  store.put(message("b", "1"), "u");
  store.put(message("b", "", { qos: 1 }), "u");
  assert.deepEqual(keeping.urgencies, ["put lazy", "put soon", "put soon", "delete lazy", "put soon", "delete soon"]);
});

test("after a restart all of it is there again: headers, reply, deadline, owner and time", () => {
  const { open, keeping, clock } = rig();
  const headers = Buffer.from("NATS/1.0\r\nk: v\r\n\r\n");
  const deadlineWall = clock.wall() + 60_000;
  {
    using store = open();
    store.put(message("a.b", "x", { headers, reply: "answers.here", qos: 2, deadlineWall }), "Zoë");
    store.put(message("c", "y"), "other");
  }
  clock.advance(10_000);
  const later = rig(LIMITS, keeping, clock);
  using store = later.open();
  const { message: found, retainedWall } = store.get("a.b")!;
  assert.deepEqual(
    [found.payload.toString(), found.headers, found.reply, found.qos, found.deadlineWall],
    ["x", headers, "answers.here", 2, deadlineWall],
  );
  assert.equal(retainedWall, clock.wall() - 10_000);
  assert.equal(later.budget.useOf("EDGE Zo\u00c3\u00ab").messages, 1);
  using foreign = later.open("OTHER");
  assert.deepEqual(texts(foreign, ">"), [], "accounts do not see each other's");
});

test("MQTT5-3.3.2-5: what has expired is not handed out any more, and is removed within a minute by one timer", async () => {
  const { open, clock, keeping, budget } = rig();
  using store = open();
  for (let i = 0; i < 200; i++) store.put(message(`t.${i}`, "x", { deadlineWall: clock.wall() + 1000 * (1 + i) }), "u");
  store.put(message("forever", "x"), "u");
  assert.equal(clock.pending, 1);
  clock.advance(30_500);
  assert.equal(texts(store, "t.*").length, 170);
  assert.equal(store.get("t.3"), undefined);
  clock.advance(60_000);
  assert.equal(keeping.values.size, 200 - 60 + 1, "removed from the store, too");
  clock.advance(300_000);
  assert.deepEqual([store.size, budget.messages, store.status().expired], [1, 1, 200]);
  assert.equal(clock.pending, 0, "no timer where nothing expires");
});

test("a topic that is retained anew does not expire with the message it had", () => {
  const { open, clock } = rig();
  using store = open();
  store.put(message("a", "old", { deadlineWall: clock.wall() + 1000 }), "u");
  store.put(message("a", "new"), "u");
  clock.advance(180_000);
  assert.deepEqual(texts(store, ">"), ["a=new"]);
});

test("a calendar that leaps ahead expires what it says, and one that leaps back brings nothing that was removed", () => {
  const { open, clock } = rig();
  using store = open();
  store.put(message("a", "x", { deadlineWall: clock.wall() + 3_600_000 }), "u");
  clock.setWall(clock.wall() + 10 * 365 * 86_400_000);
  assert.deepEqual(texts(store, ">"), []);
  clock.advance(60_000);
  clock.setWall(clock.wall() - 20 * 365 * 86_400_000);
  assert.deepEqual([texts(store, ">"), store.size], [[], 0]);
});

test("a retained message per random topic: one device cannot take the room of others, and hears why", () => {
  const { open, lines, budget } = rig();
  using store = open();
  let taken = 0;
  for (let i = 0; i < 5000; i++) if (store.put(message(`attack.${i}`, "x"), "mallory") !== "full") taken += 1;
  assert.equal(taken, 750);
  assert.notEqual(store.put(message("good", "x"), "alice"), "full");
  assert.notEqual(store.put(message("attack.5", "again"), "mallory"), "full", "what it has it may change");
  assert.notEqual(store.put(message("attack.5", "mine"), "alice"), "full", "and so may others who may publish there");
  assert.equal(budget.useOf("EDGE alice").messages, 2);
  const told = lines.filter(({ message: text }) => text.includes("its user has its share"));
  assert.equal(told.length, 1, "4,250 refusals are one line");
  assert.equal(store.status().refused, 4250);
});

test("deep topics pay for the room they take", () => {
  const { open } = rig({ maxMessages: 1_000_000, maxBytes: 1024 * 1024 });
  using store = open();
  const deep = (i: number) => [i, ...Array.from({ length: 1000 }, () => "a")].join(".");
  let taken = 0;
  while (taken < 1000 && store.put(message(deep(taken), "x"), "u") !== "full") taken += 1;
  assert.ok(taken < 10, `${taken} topics of a thousand levels in a megabyte`);
});

test("with no room on the card nothing is retained, and removals still go", () => {
  const { open, keeping } = rig();
  using store = open();
  store.put(message("a", "1"), "u");
  keeping.isFull = true;
  assert.equal(store.put(message("a", "2"), "u"), "full");
  assert.deepEqual(texts(store, ">"), ["a=1"]);
  assert.notEqual(store.put(message("a", ""), "u"), "full");
  assert.deepEqual(texts(store, ">"), []);
});

test("a record is read as it was written, and bytes that nobody wrote are refused", () => {
  const text = fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
  const bytes = fc.uint8Array({ maxLength: 100 }).map((each) => Buffer.from(each));
  fc.assert(
    fc.property(
      text,
      text,
      bytes,
      bytes,
      fc.constantFrom(0, 1, 2),
      fc.nat(),
      (owner, reply, headers, payload, qos, deadlineWall) => {
        const given = message("s", "", { reply, headers, payload, qos: qos as 0 | 1 | 2, deadlineWall });
        const record = encodeRecord(given, { owner, retainedWall: 5 });
        assert.deepEqual(decodeRecord("s", record), { message: given, owner, retainedWall: 5 });
        assert.equal(ownerOf(record.toString("latin1")), owner);
      },
    ),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
      noise[0] = 1;
      const found = decodeRecord("s", Buffer.from(noise));
      if (found !== undefined) assert.ok(found.message.payload.length + found.message.headers.length <= noise.length - 26);
    }),
  );
  assert.equal(decodeRecord("s", Buffer.alloc(40, 2)), undefined, "a later version");
});

test("records of a later version are left where they are, and told of", () => {
  const { open, keeping, lines } = rig();
  keeping.values.set("retained EDGE a", Buffer.alloc(40, 2));
  using store = open();
  assert.deepEqual([store.size, keeping.values.size], [0, 1]);
  assert.ok(lines.some(({ level, message: text }) => level === "error" && text.includes("later version")));
});

test("a NATS client is shown where, how, since when and for how long", () => {
  const { open, clock } = rig();
  using store = open();
  const headers = Buffer.from("NATS/1.0\r\nNmqtt-Expiry: 60\r\nunit: °C\r\nnmqtt-expiry: 9\r\nunit: K\r\n\r\n", "utf8");
  store.put(message("plant.temp", "21", { headers, deadlineWall: clock.wall() + 60_000 }), "u");
  clock.advance(20_500);
  const value = lastValuesOf(store, clock).get("plant.temp")!;
  assert.equal(
    value.headers.toString("utf8"),
    "NATS/1.0\r\nNmqtt-Subject: plant.temp\r\nNmqtt-Pub: 1\r\nPetiole-Time: 2026-01-01T00:00:00.000Z\r\nNmqtt-Expiry: 40\r\nunit: °C\r\nunit: K\r\n\r\n",
  );
  assert.equal(value.payload.toString(), "21");
  store.put(message("bare", "1", { qos: 0 }), "u");
  const [bare] = lastValuesOf(store, clock).match("bare");
  assert.match(bare!.headers.toString(), /^NATS\/1\.0\r\nNmqtt-Subject: bare\r\nNmqtt-Pub: 0\r\nPetiole-Time: \S+\r\n\r\n$/);
});
