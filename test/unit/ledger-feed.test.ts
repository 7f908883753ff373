import assert from "node:assert/strict";
import { test } from "node:test";
import { systemEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import { isValidSubject } from "#core/subject.ts";
import { openLedger } from "#outbox/ledger/ledger.ts";
import { Losses } from "#outbox/ledger/losses.ts";
import { AccountRouter } from "#router/router.ts";
import { LedgerFeed, ledgerSubject } from "../../src/ledger-feed.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { batchOf, message, RecordingOrigin, RecordingSink } from "../support/router-fixtures.ts";

async function open() {
  const clock = new FakeClock();
  const disk = new FakeDisk();
  disk.plant("/outbox/interest", Buffer.alloc(0));
  const env = { clock, disk, log: silentLog() };
  const losses = new Losses(await openLedger({ directory: "/outbox", rules: "r", freedThrough: () => 0 }, env));
  const account = new AccountRouter("EDGE", systemEntropy());
  const feed = new LedgerFeed({ losses, account, serverName: "gw.1", remote: "main" }, clock);
  const sink = new RecordingSink();
  account.subscribe(sink.subscription("$PETIOLE.*.ledger"));
  const heard = () => sink.delivered.map((each) => JSON.parse(each.slice(each.indexOf("=") + 1)));
  const world = { clock, losses, account, feed, sink, heard };
  return {
    ...world,
    async [Symbol.asyncDispose]() {
      feed[Symbol.dispose]();
      await losses[Symbol.asyncDispose]();
      assert.equal(clock.pending, 0);
    },
  };
}

test("a loss is told in one message with its ranges, its count and what all of them come to", async () => {
  await using world = await open();
  for (const seq of [4, 5, 6, 9]) world.losses.add("expired", 1, { lane: "state", fromSeq: seq, throughSeq: seq, epoch: 2 }, 1);
  await world.losses.flush();
  await world.clock.pass(0);
  assert.equal(world.sink.delivered[0]?.split("=")[0], "$PETIOLE.gw%2E1.ledger");
  const [told] = world.heard();
  assert.deepEqual(
    [told.reason, told.class, told.rule, told.epoch, told.messages, told.from_seq, told.through_seq, told.ranges, told.total],
    [
      "expired",
      "state",
      1,
      2,
      4,
      4,
      9,
      [
        [4, 6],
        [9, 9],
      ],
      4,
    ],
  );
  assert.deepEqual([told.server_name, told.remote, told.account], ["gw.1", "main", "EDGE"]);
});

test("at most one message a second leaves, and what has no place is said to be left out", async () => {
  await using world = await open();
  for (let i = 0; i < 100; i++) {
    world.losses.add("expired", 1, { lane: "state", fromSeq: i * 2, throughSeq: i * 2, epoch: i });
    await world.losses.flush();
  }
  await world.clock.pass(10_000);
  assert.ok(world.sink.delivered.length >= 9 && world.sink.delivered.length <= 11, `${world.sink.delivered.length}`);
  await world.clock.pass(100_000);
  const all = world.heard();
  assert.equal(all.length + all.reduce((sum, { left_out = 0 }) => sum + left_out, 0), 100);
  assert.equal(all.at(-1).total, 100);
});

test("no client, and no port, can speak as the spoke, whatever it may publish", async () => {
  await using world = await open();
  for (const kind of ["mqtt", "nats", "serial"] as const) {
    const origin = new RecordingOrigin(kind);
    const liar = Object.assign(origin, { mayRespond: () => true });
    world.account.open(liar).publish(batchOf(message("$PETIOLE.gw%2E1.ledger", "{}"), message("$PETIOLEX.a", "{}")));
    assert.deepEqual(origin.denied, ["$PETIOLE.gw%2E1.ledger"]);
  }
  assert.deepEqual(world.sink.delivered, []);
  world.account.open(new RecordingOrigin("hub")).publish(batchOf(message("$PETIOLE.other.ledger", "{}")));
  assert.deepEqual(world.sink.delivered, ["$PETIOLE.other.ledger={}"], "another spoke's, by way of the hub");
});

test("whatever a spoke is called, its subject is one literal of three tokens, and no other's", () => {
  const names = ["gw-1", "gw.1", "gw%2E1", "*", ">", "a b\t\n", "Gerät 7", "\u2028", "%"];
  const subjects = names.map(ledgerSubject);
  for (const subject of subjects) {
    assert.ok(isValidSubject(subject), subject);
    assert.equal(subject.split(".").length, 3, subject);
  }
  assert.equal(new Set(subjects).size, names.length);
});
