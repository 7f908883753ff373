import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BatchBuilder } from "#core/batch-builder.ts";
import { FanOut } from "#ingress/mqtt/fan-out.ts";
import { type PublishOptions, plainPublishOptions, publishBytesMax, writePublish } from "#ingress/mqtt/publish-writer.ts";

function batch(...subjects: readonly string[]): BatchBuilder {
  const made = new BatchBuilder();
  made.beginOwn();
  for (const [i, subject] of subjects.entries()) {
    const headers = i % 2 === 0 ? Buffer.from(`NATS/1.0\r\nk: ${subject}\r\n\r\n`) : Buffer.alloc(0);
    made.add({ subject, headers, payload: Buffer.from(`payload ${i}`), flags: 0 });
  }
  return made;
}

function plainly(made: BatchBuilder, index: number, options: PublishOptions): Buffer {
  const target = Buffer.alloc(publishBytesMax(made, index, options));
  return target.subarray(0, writePublish(target, 0, made, index, options));
}

function shared(fanOut: FanOut, made: BatchBuilder, index: number, options: PublishOptions): Buffer {
  const most = publishBytesMax(made, index, options);
  const target = Buffer.alloc(most + 8, 0xee);
  const end = fanOut.write(target, 5, made, index, options);
  assert.ok(end - 5 <= most);
  return target.subarray(5, end);
}

const clients = fc.record<PublishOptions>({
  version: fc.constantFrom(3, 4, 5),
  qos: fc.constantFrom(0, 1, 2),
  packetId: fc.integer({ min: 1, max: 65_535 }),
  isDuplicate: fc.constantFrom(false, false, true),
  retain: fc.boolean(),
  subscriptionIds: fc.constantFrom([], [], [7]),
  expirySeconds: fc.constantFrom(-1, -1, 9),
  topicAlias: fc.constantFrom(0, 0, 3),
  isTopicKnown: fc.constant(false),
});

test("whoever else gets a message, each client gets the bytes it would get alone", () => {
  const fanOut = new FanOut();
  fc.assert(
    fc.property(fc.array(clients, { minLength: 1, maxLength: 30 }), fc.boolean(), (all, clears) => {
      const made = batch("a.b", "x.y.z", "a//b.c");
      for (let index = 0; index < made.count; index++)
        for (const options of all) assert.deepEqual(shared(fanOut, made, index, options), plainly(made, index, options));
      if (clears) fanOut.clear();
    }),
  );
});

test("after clear, a batch that was filled anew is written anew", () => {
  const fanOut = new FanOut();
  const made = batch("first");
  const options = plainPublishOptions(4);
  for (let i = 0; i < 3; i++) shared(fanOut, made, 0, options);
  fanOut.clear();
  made.beginOwn();
  made.add({ subject: "second", payload: Buffer.from("x"), flags: 0 });
  for (let i = 0; i < 3; i++) assert.deepEqual(shared(fanOut, made, 0, options), plainly(made, 0, options));
});

test("a large message is written for each client by itself, and keeps no slab", () => {
  const fanOut = new FanOut();
  const made = new BatchBuilder();
  made.beginOwn();
  made.add({ subject: "a", payload: Buffer.alloc(100_000, "x"), flags: 0 });
  const options = { ...plainPublishOptions(4), qos: 1 as const, packetId: 9 };
  for (let i = 0; i < 3; i++) assert.ok(shared(fanOut, made, 0, options).equals(plainly(made, 0, options)));
});
