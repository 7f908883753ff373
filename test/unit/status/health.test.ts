import assert from "node:assert/strict";
import { test } from "node:test";
import { LOSS_REASONS } from "#outbox/ledger/ledger-entry.ts";
import { type Fittings, judge } from "#status/health.ts";
import { lossWords, lostMessages } from "#status/loss-words.ts";
import type { LossReport, OutboxReport, RemoteReport } from "#status/report.ts";

const LATELY = { since: "2026-01-01T00:00:00.000Z", until: "2026-01-03T00:00:00.000Z" };

function lost(more: Partial<LossReport>): LossReport {
  return {
    reason: "displaced",
    class: "state",
    rule: null,
    messages: 1,
    from_seq: 1,
    through_seq: 1,
    first_time: "2025-01-01T00:00:00.000Z",
    last_time: "2026-01-01T12:00:00.000Z",
    ...more,
  };
}

function reasonsOf(outbox: Partial<OutboxReport>, state = "ready"): readonly string[] {
  const quiet = {
    fault: null,
    losses: [],
    full: null,
    ledger_fault: null,
    suspended: [],
    suspended_subjects: 0,
    held: 0,
    depth: 0,
    recovery: { records: 0, torn_bytes: 0, damaged: 0 },
  };
  const link = { state, last_error: null, hub_id: null, hub_cluster: null };
  const remote = { name: "EDGE", account: "EDGE", link, outbox: { ...quiet, ...outbox } } as unknown as RemoteReport;
  return judge([remote], [], LATELY).reasons;
}

test("a loss of the last day that somebody can do something about is said, once per reason and class, with the remedy", () => {
  const reasons = reasonsOf({
    losses: [lost({ rule: 0, messages: 2 }), lost({ rule: 1, messages: 3 }), lost({ reason: "corrupted" })],
  });
  assert.deepEqual(reasons, [
    "the outbox of EDGE was full: 5 of the oldest state messages were dropped, the last on 2026-01-01T12:00:00.000Z; bring the link back, raise outbox.max_bytes, or free space on the data volume",
    "outbox of EDGE: 1 state message was damaged on flash, the last on 2026-01-01T12:00:00.000Z; the card may be wearing out; replace it soon",
  ]);
});

test("an old loss, or one that its owner asked for, is no reason to look", () => {
  assert.deepEqual(reasonsOf({ losses: [lost({ last_time: "2025-12-31T23:59:59.999Z" })] }), []);
  assert.deepEqual(reasonsOf({ losses: [lost({ last_time: "2099-01-01T00:00:00.000Z" })] }), [], "of a clock that was ahead");
  for (const reason of ["expired", "thinned", "no_interest", "not_permitted", "too_large", "link_down", "link_slow"])
    assert.deepEqual(reasonsOf({ losses: [lost({ reason })] }), [], reason);
});

test("a full outbox, a ledger that cannot be written, and streams that do not store are said", () => {
  const suspended = ["a", "b", "c", "d"].map((subject) => ({ subject, why: "its stream is full" }));
  const reasons = reasonsOf({ full: "max_bytes is reached", ledger_fault: "ENOSPC", suspended, suspended_subjects: 40 });
  assert.equal(reasons.length, 6);
  for (const part of ["keeps nothing new: max_bytes", "memory only", "on a wait: its stream is full", "37 more subjects"])
    assert.ok(
      reasons.some((reason) => reason.includes(part)),
      part,
    );
});

test("messages that nobody listens to are said while there is a link, and no message of none", () => {
  assert.deepEqual(reasonsOf({ held: 1, depth: 1 }), ["1 message waits for somebody at the hub of EDGE to listen"]);
  assert.deepEqual(
    reasonsOf({ held: 12, suspended_subjects: 1 }).at(-1),
    "12 messages wait for somebody at the hub of EDGE to listen, or for a stream that stores them",
  );
  assert.deepEqual(reasonsOf({ held: 1, depth: 1 }, "waiting"), ["no link to the hub of EDGE: waiting; 1 message waits"]);
});

test("what a full outbox turned away has made no room for anything", () => {
  const [reason] = reasonsOf({ losses: [lost({ class: null, rule: 2, from_seq: null, through_seq: null, messages: 3 })] });
  assert.match(reason ?? "", /^outbox of EDGE: 3 messages found the outbox full, the last on /);
  assert.match(lostMessages(1, null, "refused"), /^1 message was refused by a full outbox/);
  assert.equal(lostMessages(3, null, "displaced", 2), "3 messages of outbox.rules[2] found the outbox full");
});

test("damage that the ledger has counted is not said twice", () => {
  const recovery = { records: 5, torn_bytes: 0, damaged: 1 };
  assert.equal(reasonsOf({ recovery }).length, 1);
  assert.equal(reasonsOf({ recovery, losses: [lost({ reason: "corrupted" })] }).length, 1);
});

test("every reason has words, and one of a later version is its own word", () => {
  for (const reason of LOSS_REASONS) assert.ok(!lossWords(reason, "state").fate.startsWith("were lost:"), reason);
  assert.equal(lossWords("stolen", null).fate, "were lost: stolen");
  assert.deepEqual(
    [lostMessages(1, "bulk", "too_large"), lostMessages(2, null, "expired")],
    ["1 bulk message is larger than the hub takes", "2 messages grew older than max_age"],
  );
});

test("a store that cannot write, one that is full, a damaged one, and a packet filter that is not in force are told with a remedy", () => {
  const store = { keys: 1, live_bytes: 9, file_bytes: 99, max_bytes: 999, full: null, fault: null, damaged: 0 };
  const filter = { state: "applied", because: null, lacks: [], drifts: 0, last_drift: null, blocked: 0 } as const;
  const reasons = (fittings: Fittings) => judge([], [], LATELY, null, fittings).reasons;
  assert.deepEqual(reasons({}), []);
  assert.deepEqual(reasons({ store, packet_filter: filter }), []);
  assert.match(reasons({ store: { ...store, fault: "EIO" } })[0] ?? "", /cannot be written to flash: EIO/);
  assert.match(reasons({ store: { ...store, full: "disk" } })[0] ?? "", /the disk is full; free some space/);
  assert.match(reasons({ store: { ...store, full: "bytes" } })[0] ?? "", /mqtt\.max_queued_total/);
  assert.match(reasons({ store: { ...store, damaged: 1 } })[0] ?? "", /damaged on flash in 1 place$/);
  const failing = { ...filter, state: "failing", because: "there is no program nft; install it" } as const;
  assert.deepEqual(reasons({ packet_filter: failing }), [
    "the packet filter is not in force: there is no program nft; install it",
  ]);
  assert.match(reasons({ packet_filter: { ...filter, lacks: ["limits"] } })[0] ?? "", /in force without limits/);
});

test("what is set up to reach the hub's own MQTT clients and does not is a reason to look", () => {
  const reasons = (mqtt: Fittings["mqtt"]) => judge([], [], LATELY, null, { mqtt }).reasons;
  const well = {
    account: "EDGE",
    state: "passing",
    refused: 3,
    reason: "hub h forbids it",
    since: null,
    retained: null,
  } as const;
  assert.deepEqual([reasons(null), reasons({}), reasons({ hub_mqtt: [well] })], [[], [], []]);
  const travels = { following: false, because: "hub h has no JetStream for our account" };
  const found = reasons({ hub_mqtt: [{ ...well, state: "refused", since: LATELY.since, retained: travels }] });
  assert.match(found[0] ?? "", /get nothing of our messages of QoS 1 and 2: hub h forbids it$/);
  assert.match(found[1] ?? "", /retained messages do not travel .*: hub h has no JetStream for our account$/);
});
