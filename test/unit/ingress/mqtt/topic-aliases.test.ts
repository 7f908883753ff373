import assert from "node:assert/strict";
import { test } from "node:test";
import { reasonOf } from "#ingress/mqtt/errors.ts";
import { InboundAliases, OutboundAliases } from "#ingress/mqtt/topic-aliases.ts";

test("MQTT5-3.3.2: an alias stands for the topic it was last sent with", () => {
  const aliases = new InboundAliases(2);
  aliases.remember(1, "a.b");
  aliases.remember(2, "c");
  assert.equal(aliases.resolve(1), "a.b");
  aliases.remember(1, "d");
  assert.equal(aliases.resolve(1), "d");
  assert.equal(aliases.resolve(2), "c");
});

test("MQTT5-3.3.2-9: an alias above the maximum is refused with 0x94, one that stands for nothing with 0x82", () => {
  const aliases = new InboundAliases(2);
  for (const attempt of [() => aliases.remember(3, "a"), () => aliases.resolve(3), () => new InboundAliases(0).remember(1, "a")])
    assert.throws(attempt, (error: unknown) => reasonOf(error) === 0x94);
  assert.throws(
    () => aliases.resolve(2),
    (error: unknown) => reasonOf(error) === 0x82,
  );
});

/** Alias and whether the topic is left out, for each subject in turn. */
function picks(aliases: OutboundAliases, ...subjects: readonly string[]): readonly (readonly [number, boolean])[] {
  return subjects.map((subject) => {
    aliases.pick(subject);
    return [aliases.alias, aliases.isKnown];
  });
}

test("MQTT5-3.1.2-26: no more aliases than the client takes, and the least recently used topic makes room", () => {
  const aliases = new OutboundAliases(2);
  assert.deepEqual(picks(aliases, "plant.one", "plant.two", "plant.one", "plant.six", "plant.two", "plant.six"), [
    [1, false],
    [2, false],
    [1, true],
    [2, false],
    [1, false],
    [2, true],
  ]);
});

test("MQTT5-3.1.2-27: a client that takes no aliases gets none; a short topic gains nothing by one", () => {
  assert.deepEqual(picks(new OutboundAliases(0), "plant.one", "plant.one"), [
    [0, false],
    [0, false],
  ]);
  assert.deepEqual(picks(new OutboundAliases(9), "a.b", "a.b"), [
    [0, false],
    [0, false],
  ]);
});

test("a year of topics keeps no more than the maximum, and every alias given stays in range", () => {
  const aliases = new OutboundAliases(32);
  const told = new Map<number, string>();
  for (let i = 0; i < 100_000; i++) {
    const subject = `plant.${(i * 7919) % 1000}.temperature`;
    aliases.pick(subject);
    assert.ok(aliases.alias >= 1 && aliases.alias <= 32);
    if (aliases.isKnown) assert.equal(told.get(aliases.alias), subject, "the client would read another topic");
    told.set(aliases.alias, subject);
  }
  assert.equal(told.size, 32);
});
