// The small parts of kept sessions, each by itself: packet identifiers, what waits for the store, records on flash.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { fromNats } from "#ingress/mqtt/from-nats.ts";
import { Grant } from "#ingress/mqtt/grant.ts";
import { NO_IDS, type Owed, WaitingLine } from "#ingress/mqtt/owed.ts";
import { PacketIds } from "#ingress/mqtt/packet-ids.ts";
import { RestoredLetter } from "#ingress/mqtt/restored-letter.ts";
import { SafetyQueue } from "#ingress/mqtt/safety-queue.ts";
import {
  contentBytesOf,
  decodeFilter,
  decodeMessage,
  decodeOut,
  decodeSession,
  decodeWill,
  encodeFilter,
  encodeMessage,
  encodeOut,
  encodeSession,
  encodeWill,
  expiryOfRecord,
  idsOf,
  isMessage,
  keyOf,
  keyUnder,
} from "#ingress/mqtt/session-records.ts";
import type { MqttSubscription } from "#ingress/mqtt/subscriptions.ts";
import { MemoryKeeping } from "../../../support/memory-keeping.ts";

test("packet identifiers roll through 1 … 65,535, pass over those in use, and say when there is none", () => {
  const ids = new PacketIds();
  ids.reserve(3);
  ids.reserve(65_534);
  assert.deepEqual([ids.take(), ids.take(), ids.take(), ids.take(), ids.take()], [65_535, 1, 2, 4, 5]);
  while (ids.size < 65_535) assert.notEqual(ids.take(), 0);
  assert.equal(ids.take(), 0);
  ids.free(7);
  ids.free(7);
  assert.equal(ids.take(), 7);
});

test("identifiers are as a set remembers them, whatever is taken and freed", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -3000, max: 3000 }), { maxLength: 400 }), (moves) => {
      const ids = new PacketIds();
      const inUse: number[] = [];
      for (const move of moves) {
        if (move > 0) {
          for (let i = 0; i < move % 50; i++) {
            const id = ids.take();
            assert.ok(!inUse.includes(id));
            inUse.push(id);
          }
        } else if (inUse.length > 0) ids.free(inUse.splice(-move % inUse.length, 1)[0]!);
        assert.equal(ids.size, inUse.length);
        assert.ok(inUse.every((id) => ids.has(id)));
      }
    }),
    { numRuns: 30 },
  );
});

test("what waits for the store runs in the order of its marks, what is safe at once", () => {
  const keeping = new MemoryKeeping();
  keeping.isHeld = true;
  using safety = new SafetyQueue(keeping);
  const ran: string[] = [];
  const first = keeping.put("a", Buffer.from("1"), "soon");
  const second = keeping.put("b", Buffer.from("2"), "soon");
  safety.when(second, () => ran.push("second"));
  safety.when(first, () => {
    ran.push("first");
    safety.when(0, () => ran.push("after"));
  });
  safety.when(0, () => ran.push("at once"));
  assert.deepEqual(ran, ["at once"]);
  keeping.commit();
  assert.deepEqual(ran, ["at once", "first", "second", "after"]);
  assert.equal(safety.size, 0);
});

test("after its end nothing that waited runs", () => {
  const keeping = new MemoryKeeping();
  keeping.isHeld = true;
  const safety = new SafetyQueue(keeping);
  safety.when(keeping.put("a", Buffer.alloc(1), "soon"), () => assert.fail("it ran"));
  safety[Symbol.dispose]();
  keeping.commit();
});

const anyBytes = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const anySubject = fc.stringMatching(/^[a-z\u00e9/.]{1,40}$/);

test("messages, deliveries, sessions, filters and wills come back from their records as they were", () => {
  fc.assert(
    fc.property(anySubject, anyBytes, anyBytes, fc.constantFrom(0, 1, 2), fc.nat(), (subject, payload, headers, qos, number) => {
      const message = {
        subject,
        payload,
        headers,
        reply: subject,
        qos: qos as 0 | 1 | 2,
        isRetained: number % 2 === 0,
        deadlineWall: 0,
      };
      const lease = { leftMs: number, stamp: number * 3, boot: "é".repeat(number % 40) };
      for (const one of [lease, null]) {
        const record = encodeMessage(message, one);
        assert.deepEqual([decodeMessage(record), expiryOfRecord(record)], [message, one]);
        assert.equal(contentBytesOf(record), 2 * subject.length + payload.length + headers.length);
        for (let end = 0; end < record.length - payload.length; end++) assert.ok(!isMessage(record.subarray(0, end)));
      }
      const out = {
        packetId: (number % 65_535) + 1,
        qos: ((number % 2) + 1) as 1 | 2,
        retain: number % 3 === 0,
        isSent: number % 7 === 0,
        isReleased: number % 5 === 0,
        isShared: number % 2 === 0,
        message: number * 1_000_000,
        subscriptionIds: [1, 268_435_455, number].slice(0, number % 4),
      };
      assert.deepEqual(decodeOut(encodeOut(out)), out);
      const expirySeconds = number % 2 === 0 ? Number.POSITIVE_INFINITY : number;
      const session = {
        clientId: `Gerät ${subject}`,
        user: "ann",
        account: "EDGE",
        expirySeconds,
        leftAt: number,
        boot: subject,
      };
      assert.deepEqual(decodeSession(encodeSession(session)), session);
      const filter = {
        filter: subject,
        qos: qos as 0 | 1 | 2,
        noLocal: number % 2 === 0,
        retainAsPublished: number % 3 === 0,
        subscriptionId: number,
      };
      assert.deepEqual(decodeFilter(encodeFilter(filter)), filter);
      const will = { subject, payload, qos: qos as 0 | 1 | 2, retain: true, headers, reply: "", delaySeconds: number };
      assert.deepEqual(decodeWill(encodeWill({ will, dueWall: number })), { will, dueWall: number });
    }),
  );
});

test("a message from flash keeps its own bytes in memory and not those it was read among, before and after it was decoded", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (const bytes of [20, 10_000]) {
    const payload = Buffer.alloc(bytes, "é");
    const facts = { subject: "é", headers: Buffer.from("h"), reply: "r", qos: 1 as const, isRetained: false, deadlineWall: 0 };
    const record = encodeMessage({ payload, ...facts }, null);
    const read = () => {
      const slab = Buffer.allocUnsafeSlow(1 << 16);
      record.copy(slab, 99);
      return { slab: new WeakRef(slab.buffer), letter: new RestoredLetter(7, slab.subarray(99, 99 + record.length), 5) };
    };
    const { slab, letter } = read();
    await setImmediate(); // a WeakRef holds its target until the turn is over
    collect();
    assert.ok(slab.deref() === undefined, `${bytes} bytes hold 65,536`);
    assert.deepEqual(letter.message, { payload, ...facts });
    assert.equal(letter.message, letter.message);
    assert.ok(letter.message.payload.buffer.byteLength <= record.length);
    assert.equal(letter.bytes, 160 + record.length - 18);
  }
});

test("bytes that are no record are none, and nothing is thrown", () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      decodeMessage(bytes);
      decodeOut(bytes);
      for (const decode of [decodeSession, decodeFilter, decodeWill]) assert.equal(decode(bytes), undefined);
    }),
  );
  for (const text of [
    "{}",
    "null",
    '{"v":2,"clientId":"a","user":"u","account":"A","expirySeconds":1,"leftAt":0,"boot":""}',
    "[1",
  ])
    assert.equal(decodeSession(Buffer.from(text)), undefined);
});

test("a message's record of an earlier version, with a deadline of the calendar, is read", () => {
  const record = Buffer.concat([
    Buffer.from([1, 1 | 4]),
    Buffer.from("427819eb3f1d6000", "hex"),
    Buffer.from("0003612e6200017200000000", "hex"),
    Buffer.from("payload"),
  ]);
  const { subject, reply, payload, qos, isRetained } = decodeMessage(record)!;
  assert.deepEqual([subject, reply, String(payload), qos, isRetained], ["a.b", "r", "payload", 1, true]);
  const expiry = expiryOfRecord(record);
  assert.ok(expiry !== null && "deadlineWall" in expiry);
  assert.equal(expiry.deadlineWall, record.readDoubleBE(2));
});

test("names of records hold their numbers, and other names hold none", () => {
  assert.deepEqual(idsOf(keyOf("session", 12_345)), [12_345]);
  assert.deepEqual(idsOf(keyUnder("out", 7, 4_000_000_000)), [7, 4_000_000_000]);
  assert.deepEqual(idsOf(keyUnder("out", 0, Number.MAX_SAFE_INTEGER)), [0, Number.MAX_SAFE_INTEGER]);
  for (const key of [
    "session/",
    "session/-1",
    "out/1/x y",
    "session",
    "out/1/99999999999999",
    "out//1",
    "out/1/",
    "out/1/zzzzzzzzzzz",
  ])
    assert.equal(idsOf(key), undefined);
});

function owed(seq: number): Owed {
  return {
    seq,
    packetId: seq,
    qos: 1,
    retain: false,
    subscriptionIds: NO_IDS,
    share: null,
    letter: null,
    isDuplicate: false,
    isNoted: false,
    isReleased: false,
    releaseOrder: 0,
    mark: 0,
  };
}

test("a waiting line is first in, first out, over its own limits, and takes back what was sent in front", () => {
  const line = new WaitingLine();
  for (let i = 1; i <= 3000; i++) line.push(owed(i));
  for (let i = 1; i <= 2500; i++) assert.equal(line.shift()?.seq, i);
  const back = [owed(2499), owed(2500)];
  line.unshiftAll(back);
  assert.ok(line.remove(back[1]!));
  assert.ok(!line.remove(back[1]!));
  assert.equal(line.size, 501);
  assert.deepEqual(
    [...line].slice(0, 2).map(({ seq }) => seq),
    [2499, 2501],
  );
});

test("a grant is the highest QoS with the identifier of each, without those that want no local", () => {
  const one = (qos: 0 | 1 | 2, noLocal: boolean, subscriptionId: number) =>
    ({ options: { filter: "", qos, noLocal, retainAsPublished: qos === 1, subscriptionId } }) as MqttSubscription;
  const grant = new Grant();
  const all = [one(0, false, 5), one(2, true, 6), one(1, false, 5), one(0, false, 0)];
  grant.work(all, false);
  assert.deepEqual([grant.qos, grant.isAsPublished, [...grant.ids]], [2, true, [5, 6, 5]]);
  grant.work(all, true);
  assert.deepEqual([grant.qos, grant.isAsPublished, [...grant.ids]], [1, true, [5, 5]]);
  grant.work([all[1]!], true);
  assert.equal(grant.qos, -1);
});

test("messages from elsewhere have QoS 1, or what the first rule says that fits", () => {
  assert.equal(fromNats([])("a"), 1);
  const qosOf = fromNats([
    { subjects: ["a.>", "b"], qos: 0 },
    { subjects: ["a.b", "c.*"], qos: 2 },
  ]);
  assert.deepEqual(["a.b", "b", "c.d", "c", "a.b"].map(qosOf), [0, 0, 2, 1, 0]);
});
