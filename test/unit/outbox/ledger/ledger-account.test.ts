import assert from "node:assert/strict";
import { test } from "node:test";
import { accountFor } from "#outbox/ledger/ledger-account.ts";
import type { LossTotal } from "#outbox/ledger/ledger-entry.ts";

const loss = (more: Partial<LossTotal>): LossTotal => ({
  reason: "expired",
  lane: "state",
  rule: null,
  messages: 1,
  fromSeq: 1,
  throughSeq: 1,
  firstTime: 0,
  lastTime: 0,
  ...more,
});

test("books balance when every message has one fate, whatever was lost elsewhere", () => {
  const losses = [
    loss({ messages: 3 }),
    loss({ reason: "displaced", messages: 2 }),
    loss({ lane: "bulk", messages: 9 }),
    loss({ lane: null }),
  ];
  assert.deepEqual(accountFor([{ lane: "state", given: 10, delivered: 4, waiting: 1 }], losses), [
    { lane: "state", lost: 5, missing: 0, doubled: 0 },
  ]);
});

test("a message without a fate is missing, one with two is doubled", () => {
  const books = { lane: "state", given: 10, waiting: 0 } as const;
  assert.deepEqual(
    [9, 10, 12].map((delivered) => accountFor([{ ...books, delivered }], [])[0]).map((each) => [each?.missing, each?.doubled]),
    [
      [1, 0],
      [0, 0],
      [0, 2],
    ],
  );
  assert.deepEqual(accountFor([], [loss({})]), []);
});
