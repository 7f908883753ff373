import assert from "node:assert/strict";
import { test } from "node:test";
import { RetainedBudget } from "#ingress/mqtt/retained-budget.ts";

const WIDE = Number.MAX_SAFE_INTEGER;

function grab(budget: RetainedBudget, user: string, bytes = 10): number {
  let messages = 0;
  for (; messages < 100_000 && budget.shortage(user, 1, bytes) === undefined; messages++) budget.take(user, 1, bytes);
  return messages;
}

test("one greedy user leaves a quarter to others, and the next leaves a quarter of that", () => {
  const budget = new RetainedBudget({ maxMessages: 10_000, maxBytes: WIDE });
  assert.equal(grab(budget, "greedy"), 7500);
  assert.equal(budget.shortage("greedy", 1, 10), "share");
  assert.equal(grab(budget, "second"), 1875);
  assert.ok(grab(budget, "third") > 400);
  assert.ok(budget.messages < 10_000, "there is always room for one more user");
});

test("users who grow side by side come out even", () => {
  const budget = new RetainedBudget({ maxMessages: 10_000, maxBytes: WIDE });
  const users = ["a", "b", "c", "d", "e"];
  for (let i = 0; i < 10_000; i++) {
    const user = users[i % 5]!;
    if (budget.shortage(user, 1, 1) === undefined) budget.take(user, 1, 1);
  }
  for (const user of users) assert.equal(budget.useOf(user).messages, 1875);
});

test("bytes are shared like messages, and what is given back can be taken again", () => {
  const budget = new RetainedBudget({ maxMessages: WIDE, maxBytes: 1000 });
  assert.equal(budget.shortage("a", 1, 751), "share");
  budget.take("a", 1, 750);
  assert.equal(budget.shortage("a", 0, 1), "share");
  assert.equal(budget.shortage("a", 0, -5), undefined, "to shrink is always allowed");
  assert.equal(budget.shortage("b", 1, 251), "full");
  budget.take("a", -1, -750);
  assert.deepEqual([budget.messages, budget.bytes, budget.useOf("a").messages], [0, 0, 0]);
  assert.equal(budget.shortage("a", 1, 750), undefined);
});

test("no room at all is no room for anybody", () => {
  const budget = new RetainedBudget({ maxMessages: 0, maxBytes: 1000 });
  assert.equal(budget.shortage("a", 1, 1), "full");
  const one = new RetainedBudget({ maxMessages: 1, maxBytes: 1000 });
  assert.equal(grab(one, "a"), 1, "a single place can be had");
});
