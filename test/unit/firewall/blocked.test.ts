// Who is kept out for a while: one spelling for one place, a bound, and an end; and how the kernel comes to hear of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Exec, ExecResult } from "#base/exec.ts";
import { silentLog } from "#base/log.ts";
import { Blocked } from "#firewall/blocked.ts";
import { type LockedOut, openFirewall } from "#firewall/firewall.ts";
import type { Ruleset } from "#firewall/ruleset.ts";
import { FakeClock, turn } from "../../support/fake-clock.ts";

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

const RULESET: Ruleset = { rules: [{ key: "rest", words: "everything", match: {}, verdict: "drop" }], blockedMax: 4096 };

/** An nft that keeps our table, whole or not at all, and says what is in its sets. */
class FakeNft implements Exec {
  /** Transactions that were begun, and how many of them are under way. */
  told = 0;
  underWay = 0;
  readonly blocked = new Map<string, string[]>();
  isRefusing = false;
  /** What a slow one waits for. */
  gate: Promise<void> = Promise.resolve();
  #table: object[] | undefined;

  async run({ args }: { readonly args: readonly string[] }): Promise<ExecResult> {
    const done = (status: number, stdout = "", stderr = "") => ({ status, stdout, stderr, killed: null });
    if (this.isRefusing) return done(1, "", "Error: Could not process rule: Device or resource busy");
    if (args.includes("list")) {
      if (this.#table === undefined) return done(1, "", "Error: No such file or directory");
      return done(0, JSON.stringify({ nftables: this.#table }));
    }
    this.told += 1;
    this.underWay += 1;
    await this.gate;
    this.underWay -= 1;
    for (const { add, delete: removed, flush } of JSON.parse(args.at(-1)!).nftables) {
      if (removed !== undefined) this.#table = undefined;
      else if (flush !== undefined) this.blocked.set(flush.set.name, []);
      else if (add.element !== undefined)
        this.blocked.set(
          add.element.name,
          add.element.elem.map(({ elem }: { elem: { val: string } }) => elem.val),
        );
      else if (add.table === undefined || this.#table === undefined) this.#table = [...(this.#table ?? []), add];
    }
    return done(0);
  }
}

/** As the real one: it goes on between two lines of a program, sometimes by more. */
class GoingClock extends FakeClock {
  #looks = 0;
  #gone = 0;

  override now(): number {
    this.#looks += 1;
    this.#gone += this.#looks / 2 ** 20;
    return super.now() + this.#gone;
  }
}

test("whoever stays locked out is told to nft once, and not again at every look", async () => {
  const [clock, nft] = [new GoingClock(), new FakeNft()];
  const until = clock.now() + 3_600_000;
  const lockedOut: LockedOut[] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((address) => ({ address, until, failures: 30 }));
  await using firewall = openFirewall(RULESET, { clock, exec: nft, log: silentLog() }, () => lockedOut);
  await firewall.settled;
  await clock.pass(6_000);
  await firewall.settled;
  assert.deepEqual(nft.blocked.get("blocked4"), ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
  const told = nft.told;
  await clock.pass(600_000);
  await firewall.settled;
  assert.equal(nft.told, told);
});

test("an nft that is slow is not told of each sender by itself: what waits is told in one go", async () => {
  const [clock, nft] = [new GoingClock(), new FakeNft()];
  const lockedOut: LockedOut[] = [];
  await using firewall = openFirewall(RULESET, { clock, exec: nft, log: silentLog() }, () => lockedOut);
  await firewall.settled;
  const told = nft.told;
  const slow = Promise.withResolvers<void>();
  nft.gate = slow.promise;
  for (let i = 0; i < 200; i++) {
    lockedOut.push({ address: `192.0.2.${i}`, until: clock.now() + 3_600_000, failures: 30 });
    await clock.pass(5_000);
  }
  slow.resolve();
  await firewall.settled;
  assert.equal(nft.blocked.get("blocked4")?.length, 200);
  assert.ok(nft.told - told <= 6, `${nft.told - told} transactions`);
});

test("who is blocked while nft refuses is blocked when it works again", async () => {
  const [clock, nft] = [new FakeClock(), new FakeNft()];
  await using firewall = openFirewall(RULESET, { clock, exec: nft, log: silentLog() });
  await firewall.settled;
  nft.isRefusing = true;
  await firewall.block("192.0.2.7", 3_600_000);
  assert.equal(firewall.status().state, "failing");
  await firewall.block("192.0.2.8", 3_600_000);
  nft.isRefusing = false;
  await clock.pass(61_000);
  await firewall.settled;
  assert.equal(firewall.status().state, "applied");
  assert.deepEqual(nft.blocked.get("blocked4"), ["192.0.2.7", "192.0.2.8"]);
});

test("a table that could not be removed when its owner wanted none is removed later", async () => {
  const [clock, nft] = [new FakeClock(), new FakeNft()];
  await using firewall = openFirewall(RULESET, { clock, exec: nft, log: silentLog() });
  await firewall.settled;
  nft.isRefusing = true;
  await firewall.change(null);
  await clock.pass(600_000);
  assert.equal(firewall.status().state, "failing");
  assert.match(firewall.status().because ?? "", /nft refuses it/);
  nft.isRefusing = false;
  await clock.pass(61_000);
  await firewall.settled;
  await turn();
  assert.equal(firewall.status().state, "off");
  assert.equal(firewall.isRemoved, true);
});

test("without an nft that works, whoever then wants no filter has none that fails", async () => {
  const [clock, nft] = [new FakeClock(), new FakeNft()];
  nft.isRefusing = true;
  await using firewall = openFirewall(RULESET, { clock, exec: nft, log: silentLog() });
  await firewall.settled;
  assert.equal(firewall.status().state, "failing");
  await firewall.change(null);
  assert.deepEqual([firewall.status().state, firewall.status().because, firewall.isRemoved], ["off", null, false]);
});

test("a change while nft is still at the one before is no meddling by somebody else", async () => {
  const [clock, nft] = [new FakeClock(), new FakeNft()];
  const slow = Promise.withResolvers<void>();
  nft.gate = slow.promise;
  await using firewall = openFirewall(RULESET, { clock, exec: nft, log: silentLog() });
  await turn();
  const changed = firewall.change({ ...RULESET, rules: [] });
  slow.resolve();
  await changed;
  assert.deepEqual([firewall.status().state, firewall.status().drifts], ["applied", 0]);
});
