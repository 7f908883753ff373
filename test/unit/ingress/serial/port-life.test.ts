import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { TtyInfo } from "#base/tty.ts";
import type { Cause } from "#ingress/serial/match.ts";
import { NOT_LOOKED_YET, type PortEvent, type PortLife, step } from "#ingress/serial/port-life.ts";

function device(path: string): TtyInfo {
  return { path, vendorId: null, productId: null, serialNumber: null, usbPort: null, usbInterface: null };
}

const A = device("/dev/ttyUSB0");
const B = device("/dev/ttyUSB1");
const GONE: Cause = { code: "SERIAL_ABSENT", text: "no device" };
const BUSY: Cause = { code: "SERIAL_BUSY", text: "busy" };
const LOST: Cause = { code: "SERIAL_LOST", text: "went away" };

const FOUND: PortEvent = { type: "found", device: A };
const OPENED: PortEvent = { type: "opened" };

/** Plays events at their times; says each state and each effect. */
function play(...events: readonly (readonly [now: number, event: PortEvent])[]): { said: string[]; life: PortLife } {
  let life = NOT_LOOKED_YET;
  const said: string[] = [];
  for (const [now, event] of events) {
    const [next, ...effects] = step(life, event, now);
    if (next !== life) said.push(next.at);
    for (const effect of effects) said.push(`do ${effect.do}`);
    life = next;
  }
  return { said, life };
}

test("found, opened, unplugged, found again", () => {
  const { said } = play(
    [0, FOUND],
    [1, OPENED],
    [60_000, { type: "lost", cause: LOST }],
    [60_100, { type: "missing", cause: GONE }],
    [61_100, FOUND],
  );
  assert.deepEqual(said, ["opening", "do open", "open", "waiting", "absent", "opening", "do open"]);
});

test("a port that was steady is opened again at once when its device is still there", () => {
  const { said } = play([0, FOUND], [1, OPENED], [60_000, { type: "lost", cause: LOST }], [60_001, FOUND]);
  assert.deepEqual(said.slice(-2), ["opening", "do open"]);
});

test("a busy port is asked for again, ever more seldom, up to ten seconds", () => {
  let life: PortLife = { at: "opening", device: A, attempt: 0 };
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) {
    const [waiting] = step(life, { type: "open-failed", cause: BUSY }, 0);
    assert.ok(waiting.at === "waiting");
    waits.push(waiting.until);
    assert.deepEqual(step(waiting, FOUND, waiting.until - 1), [waiting]);
    const [again, effect] = step(waiting, FOUND, waiting.until);
    assert.deepEqual(effect, { do: "open", device: A });
    life = again;
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
});

test("a device that resets itself in a loop is opened ever more seldom", () => {
  const first = play([0, FOUND], [1, OPENED], [100, { type: "lost", cause: LOST }]).life;
  assert.ok(first.at === "waiting");
  const [opening] = step(first, FOUND, first.until);
  const [open] = step(opening, OPENED, first.until);
  const [second] = step(open, { type: "lost", cause: LOST }, first.until);
  assert.ok(second.at === "waiting");
  assert.equal(second.until - first.until, 2 * (first.until - 100));
});

test("a device found elsewhere is not made to wait for the failures of another", () => {
  const { said } = play([0, FOUND], [1, { type: "open-failed", cause: BUSY }], [2, { type: "found", device: B }]);
  assert.deepEqual(said.slice(-2), ["opening", "do open"]);
});

test("a removal that only the list shows closes the port, then waits for the device", () => {
  const { said, life } = play([0, FOUND], [1, OPENED], [2, { type: "missing", cause: GONE }], [3, { type: "tty-closed" }]);
  assert.deepEqual(said.slice(3), ["closing", "do close", "absent"]);
  assert.deepEqual(life, { at: "absent", cause: GONE });
});

test("another device in its place closes the port, and the next look opens the new one", () => {
  const { said } = play([0, FOUND], [1, OPENED], [2, { type: "found", device: B }], [3, { type: "tty-closed" }], [4, FOUND]);
  assert.deepEqual(said.slice(3), ["closing", "do close", "absent", "opening", "do open"]);
});

test("stopping ends every state, and while opening waits for the opening to end", () => {
  const stop: PortEvent = { type: "stop" };
  assert.deepEqual(play([0, stop]).life, { at: "closed" });
  assert.deepEqual(play([0, FOUND], [1, { type: "open-failed", cause: BUSY }], [2, stop]).life, { at: "closed" });
  assert.deepEqual(play([0, FOUND], [1, stop], [2, { type: "open-failed", cause: BUSY }]).said.slice(2), ["closing", "closed"]);
  assert.deepEqual(play([0, FOUND], [1, stop], [2, OPENED], [3, { type: "tty-closed" }]).said.slice(2), [
    "closing",
    "do close",
    "closed",
  ]);
  assert.deepEqual(play([0, FOUND], [1, OPENED], [2, stop], [3, { type: "tty-closed" }]).said.slice(3), [
    "closing",
    "do close",
    "closed",
  ]);
  const unplugged: PortEvent = { type: "missing", cause: GONE };
  assert.equal(play([0, FOUND], [1, OPENED], [2, unplugged], [3, stop], [4, { type: "tty-closed" }]).life.at, "closed");
});

test("an absent port whose reason stays the same does not change", () => {
  const { life } = play([0, { type: "missing", cause: GONE }]);
  assert.equal(step(life, { type: "missing", cause: { ...GONE } }, 1)[0], life);
});

test("in no order of events are two openings under way, nor is a device opened that is open", () => {
  const events: PortEvent[] = [
    FOUND,
    { type: "found", device: B },
    { type: "missing", cause: GONE },
    OPENED,
    { type: "open-failed", cause: BUSY },
    { type: "lost", cause: LOST },
    { type: "tty-closed" },
    { type: "stop" },
  ];
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3000), fc.constantFrom(...events)), { maxLength: 60 }), (script) => {
      let life = NOT_LOOKED_YET;
      let now = 0;
      let held: "nothing" | "opening" | "open" | "closing" = "nothing";
      for (const [pause, event] of script) {
        // The shell answers only what it was asked.
        if ((event.type === "opened" || event.type === "open-failed") && held !== "opening") continue;
        if (event.type === "lost" && held !== "open") continue;
        if (event.type === "tty-closed" && held !== "closing") continue;
        if (event.type === "opened") held = "open";
        if (event.type === "open-failed" || event.type === "lost" || event.type === "tty-closed") held = "nothing";
        now += pause;
        const [next, ...effects] = step(life, event, now);
        for (const effect of effects) {
          assert.equal(held, effect.do === "open" ? "nothing" : "open", `${effect.do} in ${life.at} on ${event.type}`);
          held = effect.do === "open" ? "opening" : "closing";
        }
        assert.ok(life.at !== "closed" || next.at === "closed", "a closed port stays closed");
        life = next;
      }
      if (life.at === "closed" || life.at === "absent" || life.at === "waiting") assert.equal(held, "nothing");
    }),
  );
});
