import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "#base/decode.ts";
import type { Json } from "#base/schema.ts";
import { outboxOptions } from "#outbox/options.ts";
import { RuleBook } from "#outbox/rules.ts";

const DAY_MS = 86_400_000;

function book(rules: readonly Json[], maxAge = "14d"): RuleBook {
  const decoded = decode(outboxOptions, { max_age: maxAge, rules }, "/data");
  assert.ok("value" in decoded, JSON.stringify(decoded));
  return new RuleBook(decoded.value);
}

test("the first rule that matches wins, whatever comes after it", () => {
  const rules = book([
    { subjects: ["alarms.fire", "alarms.*.water"], class: "alarm" },
    { subjects: ["alarms.>"], class: "telemetry" },
    { subjects: [">"] },
  ]);
  const indexOf = (subject: string) => rules.match(subject)?.index;
  assert.deepEqual(
    ["alarms.fire", "alarms.b.water", "alarms.b.smoke", "alarms", "x.y.z"].map(indexOf),
    [0, 0, 1, 2, 2],
    "a trailing > wants one token at least",
  );
});

test("a rule's own max_age holds, longer or shorter than the outbox's", () => {
  const rules = book([{ subjects: ["a.>"], max_age: "1d" }, { subjects: ["b.>"], max_age: "30d" }, { subjects: [">"] }]);
  assert.deepEqual(
    ["a.x", "b.x", "c"].map((subject) => rules.match(subject)!.maxAge / DAY_MS),
    [1, 30, 14],
  );
});

test("a segment goes as a whole only when every rule of its class would drop it", () => {
  const rules = book([
    { subjects: ["a.>"], class: "telemetry", max_age: "1d" },
    { subjects: ["b.>"], class: "telemetry", max_age: "7d" },
    { subjects: ["c.>"], class: "alarm", max_age: "2d" },
    { subjects: [">"] },
  ]);
  assert.deepEqual(
    (["alarm", "state", "telemetry", "bulk"] as const).map((urgency) => rules.maxAgeOf(urgency) / DAY_MS),
    [2, 14, 7, 14],
  );
});

test("single messages of a class are looked at only where a rule thins, or drops sooner than its neighbours, and once they all have their say", () => {
  const rules = book([
    { subjects: ["a.>"], class: "telemetry", thin_after: { age: "3d", interval: "10m" } },
    { subjects: ["b.>"], class: "telemetry", max_age: "1d" },
    { subjects: ["c.>"], class: "alarm", max_age: "2d" },
    { subjects: ["d.>"], class: "bulk", max_age: "1d" },
    { subjects: ["e.>"], class: "bulk", max_age: "5d" },
    { subjects: [">"] },
  ]);
  assert.deepEqual(
    (["alarm", "state", "telemetry", "bulk"] as const).map((urgency) => rules.lookAtAge(urgency)),
    [undefined, undefined, 3 * DAY_MS, DAY_MS],
  );
});
