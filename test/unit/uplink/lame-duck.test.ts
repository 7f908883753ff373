import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LameDuck } from "#uplink/lame-duck.ts";

const MINUTE = 60_000;

function duckAt(now: number, random = 0.5): LameDuck {
  const duck = new LameDuck({ random: () => random });
  duck.onUp(now);
  return duck;
}

/** Follows all advice from `from` on; what was advised and when, counted from there. */
function follow(duck: LameDuck, from: number, answers: { own: boolean; other: boolean }): string {
  const story: string[] = [];
  for (let i = 0; i < 10 && duck.nextAt !== null; i++) {
    const now = duck.nextAt;
    const advice = duck.advice(now);
    story.push(`${advice} ${now - from}`);
    if (advice === "probe-own") duck.onProbe(now, answers.own);
    if (advice === "probe-other") duck.onProbe(now, answers.other);
  }
  return story.join(", ");
}

test("interest vanishes, our node takes no connection any more, another does: leave within five seconds", () => {
  for (const [random, leaveAt] of [
    [0, 1250],
    [0.5, 3750],
    [0.999, 6245],
  ] as const) {
    const duck = duckAt(0, random);
    duck.onInterestGone("orders.>", 10_000);
    const story = follow(duck, 10_000, { own: false, other: true });
    assert.equal(story, `probe-own 250, probe-own 1250, probe-other 1250, leave ${leaveAt}`);
    duck.onInterestGone("orders.>", 20_000);
    assert.equal(duck.nextAt, null, "told once");
  }
});

test("a stream that was deleted is no reason to leave: our node answers", () => {
  const duck = duckAt(0);
  for (const subject of ["a.>", "b.>", "c.>"]) duck.onInterestGone(subject, 1000);
  assert.equal(follow(duck, 1000, { own: true, other: true }), "probe-own 250");
});

test("a network that lets no new connection through is no reason to leave a link that works", () => {
  const duck = duckAt(0);
  duck.onInterestGone("a", 1000);
  assert.equal(follow(duck, 1000, { own: false, other: false }), "probe-own 250, probe-own 1250, probe-other 1250");
});

test("one refusal alone is chance", () => {
  const duck = duckAt(0);
  duck.onInterestGone("a", 0);
  assert.equal(duck.advice(250), "probe-own");
  duck.onProbe(260, false);
  assert.equal(duck.advice(1260), "probe-own");
  duck.onProbe(1270, true);
  assert.equal(duck.nextAt, null);
});

test("inboxes and loop subjects that go are not looked at, nor is anything without a link", () => {
  const duck = duckAt(0);
  for (const subject of ["_INBOX.abc.*", "_R_.x", "$LDS.abc"]) duck.onInterestGone(subject, 0);
  assert.equal(duck.nextAt, null);
  duck.onInterestGone("orders.>", 0);
  duck.onDown();
  assert.equal(duck.nextAt, null);
  duck.onInterestGone("orders.>", 0);
  assert.deepEqual([duck.nextAt, duck.advice(1e9)], [null, undefined]);
});

test("where interest comes and goes all day, a look is taken a few times and then once an hour; a quiet time makes it watchful again", () => {
  const duck = duckAt(0);
  const looks: number[] = [];
  let now = 0;
  for (; now < 24 * 60 * MINUTE; now += 1000) {
    duck.onInterestGone(`client.${now}`, now);
    if (duck.advice(now) === undefined) continue;
    looks.push(Math.round(now / MINUTE));
    duck.onProbe(now, true);
  }
  assert.deepEqual(looks.slice(0, 7), [0, 1, 3, 7, 15, 31, 63]);
  assert.ok(looks.length <= 31, `${looks.length} looks in a day`);
  now += 24 * 60 * MINUTE;
  duck.onInterestGone("a", now);
  assert.equal(follow(duck, now, { own: true, other: true }), "probe-own 250");
  duck.onInterestGone("a", now + 2 * MINUTE);
  assert.equal(duck.nextAt, now + 2 * MINUTE + 250);
});

test("an answer that comes after the link has ended means nothing for the next one", () => {
  const duck = duckAt(0);
  duck.onInterestGone("a", 0);
  assert.equal(duck.advice(250), "probe-own");
  duck.onDown();
  duck.onUp(300);
  duck.onProbe(400, false);
  assert.equal(duck.nextAt, null);
});

test("whatever happens, it says leave only after two refusals in a row by our node and an answer by another", () => {
  const event = fc.oneof(
    fc.record({ does: fc.constant("gone" as const), text: fc.constantFrom("a", "b.>", "_INBOX.x") }),
    fc.record({ does: fc.constant("probed" as const), text: fc.boolean() }),
    fc.record({ does: fc.constant("wait" as const), text: fc.integer({ min: 0, max: 2 * MINUTE }) }),
    fc.record({ does: fc.constantFrom("up" as const, "down" as const), text: fc.constant("") }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 200 }), (events) => {
      const duck = duckAt(0);
      let now = 0;
      let row: string[] = [];
      let asked: string | undefined;
      for (const { does, text } of events) {
        if (does === "gone") duck.onInterestGone(text, now);
        else if (does === "wait") now += text;
        else if (does === "probed") {
          if (asked !== undefined) row.push(`${asked} ${text}`);
          asked = undefined;
          duck.onProbe(now, text);
        } else {
          if (does === "up") duck.onUp(now);
          else duck.onDown();
          row = [];
          asked = undefined;
        }
        const advice = duck.advice(now);
        if (advice === "leave") assert.deepEqual(row.slice(-3), ["probe-own false", "probe-own false", "probe-other true"]);
        else if (advice !== undefined) asked = advice;
      }
    }),
  );
});
