import assert from "node:assert/strict";
import { test } from "node:test";
import { QuietLine, verdictOn } from "#uplink/watchdog.ts";

const idle = { pings: 0, patience: 20_000, oldestPing: () => 0, underWay: 0 };
const asked = (unanswered: number, patience = 20_000) => ({ ...idle, pings: 1, patience, oldestPing: () => unanswered });

test("a silent hub is asked for a sign of life after 20 s, and where nothing is under way to it, within a minute", () => {
  const busy = { ...idle, underWay: 1 };
  assert.deepEqual([verdictOn(busy, 19_999, 0), verdictOn(busy, 20_000, 0)], ["fine", "ask"]);
  assert.deepEqual([verdictOn(idle, 54_999, 0), verdictOn(idle, 55_000, 0)], ["fine", "ask"]);
  assert.deepEqual([verdictOn(idle, 19_999, 0, 20_000), verdictOn(idle, 20_000, 0, 20_000)], ["fine", "ask"]);
});

test("where silent lines are cut twice in a row, silence is kept short from then on", () => {
  const line = new QuietLine();
  const ends: readonly (readonly [silent: number, underWay: number, then: number])[] = [
    [50_000, 0, 55_000],
    [50_000, 800, 55_000], // something was under way: not for its silence
    [50_000, 0, 55_000],
    [10, 0, 55_000], // the hub said something before it went
    [50_000, 0, 55_000],
    [50_000, 0, 20_000],
    [10, 0, 20_000],
  ];
  for (const [silent, underWay, then] of ends) {
    line.onEnd(silent, underWay);
    assert.equal(line.askAfter, then);
  }
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
