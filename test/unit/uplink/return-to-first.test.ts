import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LEAF_AUTH_REJECTED, LEAF_CLOSED } from "#uplink/errors.ts";
import { parseRemoteUrl, type RemoteUrl } from "#uplink/remote-url.ts";
import { ReturnToFirst } from "#uplink/return-to-first.ts";
import { UrlList } from "#uplink/url-list.ts";

const MINUTE = 60_000;
const AFTER = 10 * MINUTE;

function urlOf(text: string): RemoteUrl {
  const parsed = parseRemoteUrl(text);
  assert.ok("value" in parsed);
  return parsed.value;
}

const [A, B] = [urlOf("tls://a:7422"), urlOf("tls://b:7422")];

/** Runs the clock from `from` in steps of a minute; the instant it says go, or null within `limit`. */
function soak(machine: ReturnToFirst, from: number, answers: (now: number) => boolean, limit = 1000 * MINUTE): number | null {
  for (let now = from; now < from + limit; now += MINUTE) {
    if (machine.isProbeDue(now) && machine.onProbe(now, answers(now))) return now - from;
  }
  return null;
}

test("ready elsewhere for half the time the first probe, and three answers over the whole of it: go", () => {
  const machine = new ReturnToFirst(AFTER);
  machine.onUp(false, 0);
  const probes: number[] = [];
  const went = soak(machine, 0, (now) => probes.push(now / MINUTE) > 0);
  assert.deepEqual([probes, went], [[5, 10, 15], 15 * MINUTE]);
  assert.equal(machine.isProbeDue(100 * MINUTE), false); // told once
});

test("a fleet that came over in one instant goes back spread over half the time", () => {
  const went = [0, 0.25, 0.5, 0.9].map((share) => {
    const machine = new ReturnToFirst(AFTER, share);
    machine.onUp(false, 0);
    return soak(machine, 0, () => true)! / MINUTE;
  });
  assert.deepEqual(went, [15, 17, 18, 20]);
});

test("one probe without an answer starts the time anew", () => {
  const machine = new ReturnToFirst(AFTER);
  machine.onUp(false, 0);
  assert.equal(
    soak(machine, 0, (now) => now !== 10 * MINUTE),
    25 * MINUTE,
  );
});

test("a first URL that never answers is never gone to, and asked twice in that time", () => {
  const machine = new ReturnToFirst(AFTER);
  machine.onUp(false, 0);
  let probes = 0;
  assert.equal(
    soak(machine, 0, () => ++probes < 0, 100 * MINUTE),
    null,
  );
  assert.equal(probes, 19);
});

test("on the first URL, down, or switched off: nothing is asked", () => {
  const never = () => assert.fail("asked");
  const first = new ReturnToFirst(AFTER);
  first.onUp(true, 0);
  assert.equal(soak(first, 0, never), null);
  const down = new ReturnToFirst(AFTER);
  assert.equal(soak(down, 0, never), null);
  down.onUp(false, 0);
  down.onDown(false, 1);
  assert.equal(soak(down, 0, never), null);
  const off = new ReturnToFirst(null);
  off.onUp(false, 0);
  assert.equal(soak(off, 0, never), null);
  assert.equal(off.onProbe(AFTER * 9, true), false);
});

test("a return that ends badly doubles the time, up to sixteen times; a first URL that held is trusted again", () => {
  const machine = new ReturnToFirst(AFTER);
  let now = 0;
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) {
    machine.onUp(false, now);
    const took = soak(machine, now, () => true);
    assert.ok(took !== null);
    waits.push(took / MINUTE);
    now += took;
    machine.onDown(false, now); // we end the link ourselves
    machine.onDown(true, now + 1000); // and the first refuses us
  }
  assert.deepEqual(waits, [15, 30, 60, 120, 240, 240, 240]);
  machine.onUp(true, now);
  now += AFTER;
  machine.onDown(true, now);
  machine.onUp(false, now);
  assert.equal(
    soak(machine, now, () => true),
    15 * MINUTE,
  );
});

test("the list tells which URL to probe, and gives it when the time has come", () => {
  const list = new UrlList(
    { urls: [A, B], noRandomize: true, ignoreDiscoveredServers: false, reconnect: { returnToFirst: AFTER } },
    { random: () => 0 },
  );
  list.onFailed(list.next(0).url, 0, { code: LEAF_CLOSED, message: "closed" });
  list.onUp(list.next(0).url, 0);
  assert.equal(list.returnDue(5 * MINUTE - 1), undefined);
  assert.equal(list.returnDue(5 * MINUTE)?.url, A);
  assert.equal(list.onProbe(5 * MINUTE, true), false);
  assert.equal(list.onProbe(10 * MINUTE, true), false);
  assert.equal(list.onProbe(15 * MINUTE, true), true);
  list.onFailed(B, 15 * MINUTE, { code: LEAF_CLOSED, message: "left for the first" });
  assert.equal(list.next(15 * MINUTE).url, A);
  list.onFailed(A, 15 * MINUTE, { code: LEAF_AUTH_REJECTED, message: "no" });
  assert.equal(list.next(15 * MINUTE).url, B);
});

test("in an order of our own there is no first URL to return to", () => {
  const list = new UrlList(
    { urls: [A, B], noRandomize: false, ignoreDiscoveredServers: false, reconnect: { returnToFirst: AFTER } },
    { random: () => 0.9 },
  );
  list.onUp(list.next(0).url, 0);
  list.onUp(list.next(0).url, 0);
  assert.equal(list.returnDue(1000 * MINUTE), undefined);
});

test("whatever happens, nobody is told to go before the first has answered without a break for the whole time", () => {
  const event = fc.record({
    wait: fc.integer({ min: 0, max: 8 * MINUTE }),
    what: fc.constantFrom("up-first", "up", "down-first", "down", "yes", "no"),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 200 }), (events) => {
      const machine = new ReturnToFirst(AFTER);
      let now = 0;
      let unbrokenSince: number | null = null;
      for (const { wait, what } of events) {
        now += wait;
        if (what === "up" || what === "up-first") machine.onUp(what === "up-first", now);
        else if (what === "down" || what === "down-first") machine.onDown(what === "down-first", now);
        else if (machine.isProbeDue(now)) {
          if (what === "no") unbrokenSince = null;
          else unbrokenSince ??= now;
          if (machine.onProbe(now, what === "yes")) {
            assert.ok(unbrokenSince !== null && now - unbrokenSince >= AFTER);
            unbrokenSince = null;
          }
          continue;
        } else continue;
        unbrokenSince = null;
      }
    }),
  );
});
