import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { delayBefore, type Link, type LinkEvent, type LinkRules, step } from "#uplink/link-state.ts";

const RULES: LinkRules = {
  tls: "if-asked",
  transport: "tcp",
  urls: 2,
  backoff: { min: 1000, max: 60_000, jitter: 0.5 },
  dialTimeout: 10_000,
  phaseTimeout: 5_000,
};
const WITH_TLS = [
  { tls: "first", transport: "tcp" },
  { tls: "required", transport: "tcp" },
  { tls: "first", transport: "websocket" },
] as const;
const START: Link = { at: "waiting", attempt: 0, until: 0 };

/** Where the events lead, and every effect on the way. */
function walk(rules: LinkRules, ...events: readonly LinkEvent[]): string {
  let link: Link = START;
  const said: string[] = [];
  for (const event of events) {
    const [next, ...effects] = step(link, event, rules, 0, 0.5);
    link = next;
    said.push(...effects.map((effect) => effect.do));
  }
  return `${link.at}: ${said.join(" ")}`;
}

const info = (tlsRequired: boolean, compresses = false): LinkEvent => ({ type: "info", tlsRequired, compresses });
const ENDED: LinkEvent = { type: "ended", wait: null, grows: false };

test("in clear, where nobody asks for TLS: dial, INFO, CONNECT, interest, ready", () => {
  assert.equal(
    walk(RULES, { type: "retry" }, { type: "dialed" }, info(false), { type: "joined" }, { type: "synced" }),
    "ready: dial send-connect send-interest announce-ready",
  );
});

test("the hub asks for TLS: handshake after INFO, CONNECT only behind it", () => {
  assert.equal(walk(RULES, { type: "retry" }, { type: "dialed" }, info(true)), "securing: dial secure");
  assert.equal(
    walk(RULES, { type: "retry" }, { type: "dialed" }, info(true), { type: "secured" }),
    "joining: dial secure send-connect",
  );
});

test("TLS first: handshake before INFO, none after it", () => {
  const rules: LinkRules = { ...RULES, tls: "first" };
  assert.equal(
    walk(rules, { type: "retry" }, { type: "dialed" }, { type: "secured" }, info(true)),
    "joining: dial secure send-connect",
  );
});

test("TLS required by us: INFO that does not mention TLS changes nothing", () => {
  assert.equal(walk({ ...RULES, tls: "required" }, { type: "retry" }, { type: "dialed" }, info(false)), "securing: dial secure");
});

test("both sides compress: the agreement comes behind TLS and before CONNECT", () => {
  const start = [{ type: "retry" }, { type: "dialed" }] as const;
  assert.equal(walk(RULES, ...start, info(false, true)), "agreeing: dial send-compression");
  assert.equal(walk(RULES, ...start, info(false, true), { type: "agreed" }), "joining: dial send-compression send-connect");
  assert.equal(walk(RULES, ...start, info(true, true), { type: "secured" }), "agreeing: dial secure send-compression");
  const first: LinkRules = { ...RULES, tls: "first" };
  assert.equal(walk(first, ...start, { type: "secured" }, info(true, true)), "agreeing: dial secure send-compression");
});

test("WebSocket: the upgrade comes before INFO, behind TLS where there is any, and INFO's word about TLS does not count", () => {
  const clear: LinkRules = { ...RULES, transport: "websocket", tls: "never" };
  assert.equal(
    walk(clear, { type: "retry" }, { type: "dialed" }, { type: "upgraded" }, info(true)),
    "joining: dial upgrade send-connect",
  );
  const secure: LinkRules = { ...RULES, transport: "websocket", tls: "first" };
  assert.equal(
    walk(secure, { type: "retry" }, { type: "dialed" }, { type: "secured" }, { type: "upgraded" }, info(true)),
    "joining: dial secure upgrade send-connect",
  );
});

test("whatever happens, CONNECT never leaves in clear where TLS is wanted", () => {
  const event = fc.constantFrom<LinkEvent>(
    { type: "retry" },
    { type: "dialed" },
    { type: "secured" },
    { type: "upgraded" },
    { type: "agreed" },
    info(false),
    info(true),
    info(false, true),
    info(true, true),
    { type: "joined" },
    { type: "synced" },
    ENDED,
  );
  fc.assert(
    fc.property(fc.constantFrom(...WITH_TLS), fc.array(event, { maxLength: 30 }), (rules, events) => {
      let link: Link = START;
      let isSecure = false;
      for (const each of events) {
        const [next, ...effects] = step(link, each, { ...RULES, ...rules }, 0, 0.5);
        if (each.type === "secured" && link.at === "securing") isSecure = true;
        for (const effect of effects) {
          if (effect.do === "dial" || effect.do === "close") isSecure = false;
          if (effect.do === "send-connect" || effect.do === "send-compression")
            assert.ok(isSecure, `after ${JSON.stringify(events)}`);
        }
        link = next;
      }
    }),
  );
});

test("events that mean nothing in a state change nothing", () => {
  for (const event of [
    { type: "dialed" },
    { type: "secured" },
    info(true),
    { type: "joined" },
    { type: "synced" },
    ENDED,
  ] as const) {
    assert.deepEqual(step(START, event, RULES, 0, 0), [START]);
  }
  const stopped: Link = { at: "stopped" };
  assert.deepEqual(step(stopped, { type: "retry" }, RULES, 0, 0), [stopped]);
});

test("an end from any state closes and schedules the next attempt; stop closes for good", () => {
  assert.equal(walk(RULES, { type: "retry" }, ENDED), "waiting: dial close schedule");
  assert.equal(
    walk(RULES, { type: "retry" }, { type: "dialed" }, info(false), { type: "joined" }, { type: "synced" }, ENDED),
    "waiting: dial send-connect send-interest announce-ready close schedule",
  );
  assert.equal(walk(RULES, { type: "retry" }, { type: "stop" }, { type: "retry" }, { type: "dialed" }), "stopped: dial close");
});

test("a link that was ready for long starts over with short delays, a flapping one does not", () => {
  const ready: Link = { at: "ready", attempt: 6, since: 0 };
  const [settled] = step(ready, ENDED, RULES, 10_000, 0.5);
  const [flapping] = step(ready, ENDED, RULES, 9_999, 0.5);
  assert.deepEqual([settled.at === "waiting" && settled.attempt, flapping.at === "waiting" && flapping.attempt], [0, 7]);
});

test("delays: the next URL of a round soon, the next round by back-off up to its ceiling, fixed and growing ones as asked", () => {
  const plain = { wait: null, grows: false };
  assert.ok(delayBefore(1, plain, RULES, 1, false) <= 250, "second URL of the first round");
  for (let attempt = 0; attempt < 200; attempt += 2) {
    const delay = delayBefore(attempt, plain, RULES, 0.999, false);
    assert.ok(delay >= 500 && delay <= 60_000, `attempt ${attempt}: ${delay}`);
  }
  assert.ok(delayBefore(100, plain, RULES, 0, false) >= 30_000, "half of the ceiling at least");
  assert.ok(delayBefore(0, { wait: 30_000, grows: true }, RULES, 0, false) >= 30_000);
  assert.ok(delayBefore(50, { wait: null, grows: true }, RULES, 1, false) <= 30_000);
});

test("whatever a connection ended in, the wait behind it is spread over three seconds and more: a fleet falls in one instant", () => {
  const plain = { wait: null, grows: false };
  for (const attempt of [0, 1, 2, 3, 9]) {
    const [least, most] = [0, 0.9999].map((random) => delayBefore(attempt, plain, RULES, random, true));
    assert.ok(least! >= 500 && most! - least! >= 2999 && most! <= 61_000, `attempt ${attempt}: ${least} to ${most}`);
  }
});
