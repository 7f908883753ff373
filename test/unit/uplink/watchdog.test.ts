import assert from "node:assert/strict";
import { test } from "node:test";
import { verdictOn } from "#uplink/watchdog.ts";

const idle = { pings: 0, patience: 20_000, oldestPing: () => 0 };
const asked = (unanswered: number, patience = 20_000) => ({ pings: 1, patience, oldestPing: () => unanswered });

test("an idle link is asked for a sign of life after 20 s of silence", () => {
  assert.equal(verdictOn(idle, 19_999, 0), "fine");
  assert.equal(verdictOn(idle, 20_000, 0), "ask");
});

test("no byte for as long as patience goes, with a PING out: stale", () => {
  assert.equal(verdictOn(asked(19_999), 40_000, 0), "fine");
  assert.equal(verdictOn(asked(20_000), 40_000, 0), "stale");
  assert.equal(verdictOn(asked(60_000, 400_000), 60_000, 0), "fine", "much is under way on a slow line");
});

test("any byte is a sign of life, but not for ever without a PONG", () => {
  assert.equal(verdictOn(asked(119_999), 10, 0), "fine");
  assert.equal(verdictOn(asked(120_000), 10, 0), "unheard");
  assert.equal(verdictOn(asked(300_000, 100_000), 10, 0), "fine");
  assert.equal(verdictOn(asked(400_000, 100_000), 10, 0), "unheard");
});
