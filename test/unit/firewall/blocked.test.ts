// Who is kept out for a while: one spelling for one place, a bound, and an end.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Blocked } from "#firewall/blocked.ts";
import { FakeClock } from "../../support/fake-clock.ts";

test("all spellings of a place are one, IPv6 by its /64, so that no two overlap", () => {
  const blocked = new Blocked(new FakeClock(), 10);
  for (const text of ["192.0.2.7", "::ffff:192.0.2.7"]) blocked.add(text, 60_000);
  for (const text of ["2001:db8::1", "2001:0DB8::/64", "2001:db8:0:0:1::9", "2001:db8:0:0::/64"]) blocked.add(text, 60_000);
  assert.deepEqual(blocked.of(4), [{ address: "192.0.2.7", prefixBits: 32, family: 4, seconds: 60 }]);
  assert.deepEqual(blocked.of(6), [{ address: "2001:db8:0:0::", prefixBits: 64, family: 6, seconds: 60 }]);
});

test("the box itself, wide networks and what is no address cannot be blocked", () => {
  const blocked = new Blocked(new FakeClock(), 10);
  for (const text of [
    "127.0.0.1",
    "127.9.9.9",
    "::1",
    "0:0:0:0:0:0:0:1",
    "::",
    "0.0.0.0",
    "10.0.0.0/8",
    "2001:db8::/32",
    "fe80::1%eth0",
    "x",
    "",
  ]) {
    assert.equal(blocked.add(text, 60_000), false, text);
  }
  assert.equal(blocked.add("192.0.2.7", 0), false);
  assert.equal(blocked.size, 0);
});

test("a block ends, can be made longer and not shorter, and the oldest makes room", () => {
  const clock = new FakeClock();
  const blocked = new Blocked(clock, 2);
  assert.equal(blocked.add("192.0.2.1", 60_000), true);
  assert.equal(blocked.add("192.0.2.1", 30_000), false);
  assert.equal(blocked.add("192.0.2.1", 90_000), true);
  blocked.add("192.0.2.2", 60_000);
  blocked.add("192.0.2.3", 60_000);
  assert.deepEqual(
    blocked.of(4).map(({ address }) => address),
    ["192.0.2.2", "192.0.2.3"],
  );
  clock.advance(60_000);
  assert.equal(blocked.size, 0);
});
