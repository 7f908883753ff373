import assert from "node:assert/strict";
import { test } from "node:test";
import { systemEntropy } from "#base/entropy.ts";
import { HostNames } from "#web/server/host-names.ts";
import { Sessions } from "#web/server/sessions.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const LIMITS = { idleMs: 60_000, maxMs: 600_000 };

test("sessions are bounded in all: the oldest makes room", () => {
  const sessions = new Sessions(LIMITS, new FakeClock(), systemEntropy());
  const tokens = Array.from({ length: 100 }, (_, i) => sessions.open(`user-${i}`, "viewer", "192.0.2.1").token);
  assert.equal(sessions.size, 64);
  assert.equal(sessions.use(tokens[0]!), undefined);
  assert.equal(sessions.use(tokens[99]!)?.user, "user-99");
});

test("sessions that nobody ended are forgotten: a year of logins leaves no trace", () => {
  const clock = new FakeClock();
  const sessions = new Sessions(LIMITS, clock, systemEntropy());
  for (let day = 0; day < 365; day++) {
    sessions.open("olga", "owner", "192.0.2.1");
    clock.advance(86_400_000);
  }
  sessions.open("olga", "owner", "192.0.2.1");
  assert.equal(sessions.size, 1);
});

test("the own names and addresses of the moment are ours, in every spelling; no others are", () => {
  const clock = new FakeClock();
  let addresses = ["192.0.2.7"];
  const names = new HostNames(["gw-7", "panel.example.com"], { hostname: () => "Box", addresses: () => addresses }, clock);
  for (const host of ["box", "BOX.local:8080", "gw-7", "gw-7.local.", "panel.example.com", "localhost", "192.0.2.7:80"])
    assert.ok(names.isOurs(host), host);
  for (const host of [
    undefined,
    "",
    "panel.example.com.local",
    "example.com",
    "192.0.2.9",
    "[2001:db8::9]",
    "gw-7 ",
    "gw-7\t",
    "a,gw-7",
  ])
    assert.ok(!names.isOurs(host), String(host));
  addresses = ["192.0.2.9", "2001:db8::9"];
  assert.ok(!names.isOurs("192.0.2.9"), "looked at a moment ago");
  clock.advance(5_000);
  assert.ok(names.isOurs("192.0.2.9"));
  assert.ok(names.isOurs("[2001:DB8:0:0::9]:443"));
  assert.ok(!names.isOurs("192.0.2.7"), "the lease is over");
});
