import assert from "node:assert/strict";
import { test } from "node:test";
import { Authenticator, type Login, type User } from "#access/authenticator.ts";
import { hashPassword } from "#access/password.ts";
import { UNRESTRICTED } from "#access/permissions.ts";
import { systemEntropy } from "#base/entropy.ts";
import { network } from "#base/network.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const entropy = systemEntropy();
const passwordHash = await hashPassword("right", entropy);
const never = new AbortController().signal;

function user(name: string, more: Partial<User> = {}): User {
  const permissions = { publish: UNRESTRICTED, subscribe: UNRESTRICTED };
  return { name, account: "EDGE", passwordHash, doors: ["mqtt"], permissions, ...more };
}

function open(noAuthUser: string | null = null) {
  const clock = new FakeClock();
  const users = [user("ann"), user("bob"), user("locked", { passwordHash: null }), user("other-door", { doors: ["nats"] })];
  return { clock, authenticator: new Authenticator(users, noAuthUser, { clock, entropy }) };
}

function login(name: string | null, password: string | null, address = "10.0.0.1"): Login {
  return { door: "mqtt", user: name, password, address };
}

test("the right password opens, every other answer is no", async () => {
  const { authenticator } = open();
  const verdict = await authenticator.authenticate(login("ann", "right"), never);
  assert.ok(verdict.ok && verdict.user.name === "ann" && !verdict.isAnonymous);
  for (const [name, password] of [
    ["ann", "wrong"],
    ["ann", ""],
    ["ann", null],
    ["ghost", "right"],
    ["locked", "right"],
    ["locked", ""],
    ["other-door", "right"],
    ["ann", "x".repeat(2000)],
  ] as const) {
    const refused = await authenticator.authenticate(login(name, password, "10.9.9.9"), never);
    assert.ok(!refused.ok, `${name} ${password}`);
  }
});

test("without a name only no_auth_user comes in, and only where it is set and may", async () => {
  assert.deepEqual(verdictOf(await open().authenticator.authenticate(login(null, null), never)), "nobody");
  const named = await open("ann").authenticator.authenticate(login(null, "anything"), never);
  assert.ok(named.ok && named.user.name === "ann" && named.isAnonymous);
  assert.deepEqual(verdictOf(await open("other-door").authenticator.authenticate(login(null, null), never)), "nobody");
  assert.deepEqual(verdictOf(await open("ghost").authenticator.authenticate(login(null, null), never)), "nobody");
});

test("after three failures each further one doubles the wait, and the wait passes", async () => {
  const { clock, authenticator } = open();
  const fail = () => authenticator.authenticate(login("ann", "wrong"), never);
  for (let i = 0; i < 4; i++) assert.equal(verdictOf(await fail()), "wrong");
  assert.equal(verdictOf(await fail()), "wait");
  clock.advance(1000);
  assert.equal(verdictOf(await fail()), "wrong");
  clock.advance(1999);
  assert.equal(verdictOf(await authenticator.authenticate(login("ann", "right"), never)), "wait");
  clock.advance(1);
  assert.equal(verdictOf(await authenticator.authenticate(login("ann", "right"), never)), "ok");
});

test("guessing at many names from one address waits by address, at one name from many addresses by name", async () => {
  const { authenticator } = open();
  for (let i = 0; i < 4; i++) await authenticator.authenticate(login(`guess-${i}`, "x", "10.0.0.66"), never);
  assert.equal(verdictOf(await authenticator.authenticate(login("bob", "right", "10.0.0.66"), never)), "wait");
  assert.equal(verdictOf(await authenticator.authenticate(login("bob", "right", "10.0.0.2"), never)), "ok");
  for (let i = 0; i < 4; i++) await authenticator.authenticate(login("ann", "x", `10.1.0.${i}`), never);
  assert.equal(verdictOf(await authenticator.authenticate(login("ann", "right", "10.2.0.1"), never)), "wait");
});

test("a device that logged in from an address before is not locked out by a neighbour there, nor by a guesser elsewhere", async () => {
  const { authenticator } = open();
  assert.equal(verdictOf(await authenticator.authenticate(login("ann", "right"), never)), "ok");
  for (let i = 0; i < 4; i++) await authenticator.authenticate(login("bob", `wrong ${i}`), never);
  for (let i = 0; i < 4; i++) await authenticator.authenticate(login("ann", "wrong", "10.9.9.9"), never);
  assert.equal(verdictOf(await authenticator.authenticate(login("bob", "right"), never)), "wait");
  assert.equal(verdictOf(await authenticator.authenticate(login("ann", "right", "10.9.9.9"), never)), "wait");
  assert.equal(verdictOf(await authenticator.authenticate(login("ann", "right"), never)), "ok");
});

test("blocked addresses are told of while they wait, an IPv6 network as one, and never those of devices known there", async () => {
  const { clock, authenticator } = open();
  const blocked = () => [...authenticator.blockedAddresses()].map(({ address, failures }) => [address, failures]);
  const guess = async (count: number, address: string, name = "ghost") => {
    for (let i = 0; i < count; i++) await authenticator.authenticate(login(`${name}-${i}`, "x", address), never);
  };
  await guess(3, "10.0.0.7");
  assert.deepEqual(blocked(), []);
  await guess(1, "10.0.0.7");
  await guess(2, "2001:db8:0:1::5");
  await guess(2, "2001:db8:0:1::6", "other");
  assert.deepEqual(blocked(), [
    ["10.0.0.7", 4],
    ["2001:db8:0:1::/64", 4],
  ]);
  assert.equal([...authenticator.blockedAddresses()][0]!.until, clock.now() + 1000);
  assert.equal(verdictOf(await authenticator.authenticate(login("ann", "right", "10.3.3.3"), never)), "ok");
  for (let i = 0; i < 5; i++) await authenticator.authenticate(login("ann", "wrong", "10.3.3.3"), never);
  assert.equal(blocked().length, 2);
  clock.advance(1000);
  assert.deepEqual(blocked(), []);
});

test("an unknown name takes as long as a wrong password", async () => {
  const { authenticator } = open();
  const took = async (name: string, address: string) => {
    const started = process.cpuUsage();
    assert.equal(verdictOf(await authenticator.authenticate(login(name, "wrong", address), never)), "wrong");
    const { user: spent } = process.cpuUsage(started);
    return spent;
  };
  const known = Math.min(await took("ann", "10.0.1.1"), await took("ann", "10.0.1.2"));
  const unknown = Math.min(await took("ghost", "10.0.2.1"), await took("ghost", "10.0.2.2"));
  assert.ok(unknown > known / 3, `unknown ${unknown} µs, known ${known} µs`);
});

test("a thousand devices that come back cost one scrypt run, not a thousand", async () => {
  const { authenticator } = open();
  const started = process.cpuUsage();
  const verdicts = await Promise.all(
    Array.from({ length: 1000 }, (_, i) => authenticator.authenticate(login("ann", "right", `10.0.${i % 100}.1`), never)),
  );
  assert.ok(verdicts.every((verdict) => verdict.ok));
  const { user: spent } = process.cpuUsage(started);
  assert.ok(spent < 10_000_000, `${spent} µs`); // a thousand runs take about 50 s
});

test("more logins than the queue holds are sent away, and so is whoever has left before its turn", async () => {
  const { authenticator } = open();
  const leaving = new AbortController();
  const gone = Array.from({ length: 1100 }, (_, i) =>
    authenticator.authenticate(login(`u${i}`, "x", `10.${i >> 8}.${i & 255}.1`), leaving.signal),
  );
  leaving.abort();
  const verdicts = (await Promise.all(gone)).map(verdictOf);
  assert.ok(verdicts.every((verdict) => verdict === "busy"));
  assert.equal(verdictOf(await authenticator.authenticate(login("ann", "right"), never)), "ok");
});

test("hundreds of wrong passwords at once from one address cost a few scrypt runs, whatever names they come under", async () => {
  const { authenticator } = open();
  const guesses = Array.from({ length: 300 }, (_, i) => authenticator.authenticate(login(`u${i}`, "x", "10.0.0.66"), never));
  const device = authenticator.authenticate(login("ann", "right", "10.0.0.2"), never);
  const verdicts = (await Promise.all(guesses)).map(verdictOf);
  const looked = verdicts.filter((verdict) => verdict === "wrong").length;
  assert.ok(looked <= 5, `${looked} were looked at: three are free, and two may run at once`);
  assert.equal(verdicts.filter((verdict) => verdict === "wait").length, 300 - looked);
  assert.equal(verdictOf(await device), "ok");
});

test("one place is an IPv4 address or an IPv6 /64", () => {
  assert.equal(network("10.0.0.1"), "10.0.0.1");
  assert.equal(network("::ffff:10.0.0.1"), "10.0.0.1");
  assert.equal(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::9"));
  assert.notEqual(network("2001:db8:1:2::9"), network("2001:db8:1:3::9"));
  assert.equal(network("fe80::1%eth0"), network("fe80::2%eth0"));
  assert.equal(network("::1"), "0:0:0:0::/64");
});

function verdictOf(verdict: Awaited<ReturnType<Authenticator["authenticate"]>>): string {
  return verdict.ok ? "ok" : verdict.why;
}

test("users that change take remembered passwords with them, and one that was being looked at", async () => {
  const { authenticator } = open();
  const ann = login("ann", "right");
  assert.ok((await authenticator.authenticate(ann, never)).ok, "remembered from now on");
  const other = await hashPassword("other", entropy);
  const underWay = authenticator.authenticate(login("bob", "right", "10.0.0.2"), never);
  await Promise.resolve(); // its scrypt run has begun
  authenticator.change([user("ann", { passwordHash: other }), user("bob", { passwordHash: other })], []);
  assert.equal(verdictOf(await underWay), "busy");
  assert.equal(verdictOf(await authenticator.authenticate(ann, never)), "wrong");
  assert.equal(verdictOf(await authenticator.authenticate(login("bob", "right", "10.0.0.2"), never)), "wrong");
  assert.ok((await authenticator.authenticate(login("ann", "other"), never)).ok);
  authenticator.change([user("bob")], []);
  assert.equal(verdictOf(await authenticator.authenticate(login("ann", "other"), never)), "wrong");
  assert.equal(authenticator.userNamed("ann"), undefined);
});
