import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "#base/decode.ts";
import { formatFault } from "#base/fault.ts";
import type { Json } from "#base/schema.ts";
import { freeReserveOf, outboxOptions } from "#outbox/options.ts";

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

function decoded(settings: { readonly [key: string]: Json }) {
  const result = decode(outboxOptions, settings, "/data");
  assert.ok("value" in result, JSON.stringify(result));
  return result.value;
}

function faultsOf(settings: { readonly [key: string]: Json }): readonly string[] {
  const result = decode(outboxOptions, settings, "/data");
  assert.ok("faults" in result, "these settings are refused");
  return result.faults.map(formatFault);
}

const rule = { subjects: [">"] };

test("what the owner does not say: nothing is thinned, the oldest give way, nothing is encrypted", () => {
  const { rules, whenFull, freeReserve, encryption } = decoded({});
  const { confirm, order, maxAge, thinAfter } = rules[0]!;
  assert.deepEqual([confirm, order, maxAge, thinAfter], ["auto", "strict", null, null]);
  assert.deepEqual([whenFull, freeReserve, encryption], ["drop_oldest", null, false]);
});

test("every way to keep, to thin and to be full is taken", () => {
  const { rules, whenFull, encryption } = decoded({
    when_full: "refuse",
    encryption: true,
    rules: [
      { ...rule, confirm: "stored", order: "live_first", max_age: "7d", thin_after: { age: "1d", interval: "10m" } },
      { ...rule, thin_after: { age: "1h", interval: null } },
      { ...rule, thin_after: { age: "1h" } },
    ],
  });
  assert.deepEqual([whenFull, encryption, rules[0]!.confirm, rules[0]!.order], ["refuse", true, "stored", "live_first"]);
  assert.deepEqual(
    rules.map(({ thinAfter }) => thinAfter),
    [
      { age: 86_400_000, interval: 600_000 },
      { age: 3_600_000, interval: null },
      { age: 3_600_000, interval: null },
    ],
  );
  assert.equal(decoded({ when_full: "drop_new" }).whenFull, "drop_new");
});

test("the free reserve is half a gibibyte or a tenth of the volume, but half of what is free at most, unless it is set", () => {
  const reserve = (settings: { [name: string]: string }, totalBytes: number, freeBytes: number, keptBytes = 0) =>
    freeReserveOf(decoded(settings), { totalBytes, freeBytes, keptBytes });
  assert.equal(reserve({}, 2 * GIB, 2 * GIB), 512 * MIB);
  assert.equal(reserve({}, 32 * GIB, 30 * GIB), Math.floor(3.2 * GIB));
  assert.equal(reserve({ free_reserve: "1MiB" }, 32 * GIB, 0), MIB);
  assert.equal(reserve({}, 600 * MIB, 500 * MIB), 250 * MIB, "on a small volume the outbox has its half");
  assert.equal(reserve({}, 600 * MIB, 250 * MIB, 250 * MIB), 250 * MIB, "and no less when it has used it");
  assert.equal(reserve({ free_reserve: "512MiB" }, 600 * MIB, 500 * MIB), 512 * MIB, "whoever says so may have all of it");
  assert.equal(reserve({ free_reserve: "0B" }, 32 * GIB, 0), 0);
});

for (const [settings, words] of [
  [{ rules: [{ ...rule, thin_after: "1d" }] }, /^rules\[0\]\.thin_after: wants an object, found "1d"/],
  [{ rules: [{ ...rule, thin_after: {} }] }, /^rules\[0\]\.thin_after\.age: is missing, wants a duration/],
  [{ rules: [{ ...rule, thin_after: { age: "0s" } }] }, /thin_after\.age: wants a duration from "1s"/],
  [{ rules: [{ ...rule, thin_after: { age: "1d", every: "1h" } }] }, /thin_after\.every: there is no such key/],
  [
    { rules: [{ ...rule, max_age: "1d", thin_after: { age: "2d" } }] },
    /^rules\[0\]\.thin_after\.age: wants less than the rule's max_age \(1d\), found "2d": .+ lower it, or raise max_age/,
  ],
  [{ rules: [{ ...rule, max_age: 7 }] }, /max_age: wants a duration .* write a unit/],
  [{ rules: [{ ...rule, confirm: "sure" }] }, /confirm: wants "auto" or "accepted" or "stored", found "sure"/],
  [{ when_full: "panic" }, /when_full: wants "drop_oldest" or "drop_new" or "refuse", found "panic"/],
  [{ free_reserve: "10%" }, /free_reserve: wants a size .*, found "10%"/],
  [{ encryption: "yes" }, /encryption: wants true or false, found "yes"/],
] as const) {
  test(`${JSON.stringify(settings)} is refused in words`, () => {
    const faults = faultsOf(settings);
    assert.equal(faults.length, 1, faults.join("\n"));
    assert.match(faults[0]!, words);
  });
}
