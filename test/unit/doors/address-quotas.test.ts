import assert from "node:assert/strict";
import { test } from "node:test";
import { type AddressLimits, AddressQuotas, type Visit } from "#doors/address-quotas.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function open(limits: Partial<AddressLimits> = {}) {
  const clock = new FakeClock();
  const quotas = new AddressQuotas({ connectionsMax: null, loginsMax: 1000, connectRate: null, ...limits }, clock);
  const enter = (address = "10.0.0.1"): Visit => {
    const visit = quotas.tryEnter(address);
    assert.ok(typeof visit !== "string", `refused: ${String(visit)}`);
    return visit;
  };
  return { clock, quotas, enter };
}

test("an address may have so many connections that are not let in yet, and again as many when they are", () => {
  const { quotas, enter } = open({ loginsMax: 2 });
  const first = enter();
  enter();
  assert.equal(quotas.tryEnter("10.0.0.1"), "logins");
  enter("10.0.0.2");
  first.admit();
  first.admit();
  enter();
  assert.equal(quotas.tryEnter("10.0.0.1"), "logins");
  assert.equal(quotas.refused, 2);
});

test("an address may have so many connections, and each that closes makes room once", () => {
  const { quotas, enter } = open({ connectionsMax: 2 });
  const first = enter();
  first.admit();
  enter().admit();
  assert.equal(quotas.tryEnter("10.0.0.1"), "connections");
  first.leave();
  first.leave();
  enter();
  assert.equal(quotas.tryEnter("10.0.0.1"), "connections");
});

test("one that leaves before it is let in is a stranger no more", () => {
  const { quotas, enter } = open({ loginsMax: 1 });
  for (let i = 0; i < 10; i++) enter().leave();
  enter();
  assert.equal(quotas.tryEnter("10.0.0.1"), "logins");
});

test("ten seconds' worth of connections come at once, then only so many a second, refused ones not counted", () => {
  const { clock, quotas, enter } = open({ connectRate: 5 });
  for (let i = 0; i < 50; i++) enter().leave();
  for (let i = 0; i < 10; i++) assert.equal(quotas.tryEnter("10.0.0.1"), "rate");
  enter("10.0.0.2");
  clock.advance(1000);
  for (let i = 0; i < 5; i++) enter().leave();
  assert.equal(quotas.tryEnter("10.0.0.1"), "rate");
});

test("an IPv6 network of /64 is one address, and an IPv4 address is the same when it comes by IPv6", () => {
  const { quotas, enter } = open({ connectionsMax: 1 });
  enter("2001:db8::1");
  assert.equal(quotas.tryEnter("2001:db8::ffff"), "connections");
  enter("2001:db8:0:1::1");
  enter("10.0.0.9");
  assert.equal(quotas.tryEnter("::ffff:10.0.0.9"), "connections");
});

test("this device itself is not limited", () => {
  const { enter } = open({ connectionsMax: 1, loginsMax: 1, connectRate: 1 });
  for (const address of ["127.0.0.1", "127.0.1.9", "::1", "::ffff:127.0.0.1"]) for (let i = 0; i < 50; i++) enter(address);
});

test("a flood from a million addresses leaves no more than a few thousand behind, and those with connections are kept", () => {
  const { quotas, enter } = open({ connectionsMax: 1, connectRate: 50 });
  enter("10.0.0.1");
  for (let i = 0; i < 20_000; i++) enter(`11.${i >> 16}.${(i >> 8) & 255}.${i & 255}`).leave();
  assert.equal(quotas.tryEnter("10.0.0.1"), "connections");
  assert.ok(quotas.remembered <= 4097, `${quotas.remembered}`);
});
