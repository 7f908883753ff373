import assert from "node:assert/strict";
import { test } from "node:test";
import { systemEntropy } from "#base/entropy.ts";
import { PetioleError } from "#base/errors.ts";
import { silentLog } from "#base/log.ts";
import { type OutboxFlags, runOutbox } from "#cli/outbox.ts";
import { openStore } from "#store/open-store.ts";
import { STORE_BYTES_MIN, storeDefaults } from "#store/options.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import type { FakeDisk } from "../../support/fake-disk.ts";
import { OutboxHarness } from "../outbox/harness.ts";

const RULES = [
  { subjects: ["alarms.>"], class: "alarm", keep: "always" },
  { subjects: [">"], keep: "always" },
];
const PLAIN: OutboxFlags = { json: false };
const FOLDER = "/data/outbox/EDGE";

/** A closed outbox with one alarm and three readings, one of them with things that terminals take for orders. */
async function filled(): Promise<OutboxHarness> {
  const box = await OutboxHarness.open({ rules: RULES });
  box.publish("sensors.a", ["21.5", "\u001b[2Jgone\u202e", Buffer.from([0xff, 0x00, 0x80]).toString("latin1")]);
  await box.commit();
  box.publish("alarms.fire", ["hot"]);
  await box.commit();
  box.outbox.losses.add("link_down", 3);
  await box[Symbol.asyncDispose]();
  return box;
}

/** Runs the command; it must have understood, and must have changed nothing. */
async function run(disk: FakeDisk, words: readonly string[], flags: Partial<OutboxFlags> = {}, remote?: string) {
  const before = disk.files("/");
  const { writes, directorySyncs } = disk.counters;
  const place = { dataDir: "/data", disk: disk.mount(), ...(remote === undefined ? {} : { remote }) };
  const outcome = await runOutbox(words, place, { ...PLAIN, ...flags });
  assert.deepEqual([disk.files("/"), disk.counters.writes, disk.counters.directorySyncs], [before, writes, directorySyncs]);
  return outcome;
}

async function textOf(disk: FakeDisk, words: readonly string[], flags: Partial<OutboxFlags> = {}): Promise<string> {
  const outcome = await run(disk, words, flags);
  assert.ok("text" in outcome, JSON.stringify(outcome));
  return outcome.text;
}

test("stat tells lanes, messages, ages and losses", async () => {
  const { disk } = await filled();
  const text = await textOf(disk, ["stat"]);
  for (const wanted of [
    /^outbox EDGE {2}4 waiting on flash/,
    /alarm {6}1 waiting/,
    /state {6}3 waiting .*2026-01-01T00:00:0\d\.\d{3}Z to 2026-01-01/,
    /lost: 3 messages were not to be kept, and the link was down, the last on 2026-01-01/,
  ])
    assert.match(text, wanted);
  const [stat] = JSON.parse(await textOf(disk, ["stat"], { json: true }));
  assert.deepEqual(
    [stat.remote, stat.records, stat.lanes[0].class, stat.lanes[0].records, stat.losses[0].reason, stat.losses[0].messages],
    ["EDGE", 4, "alarm", 1, "link_down", 3],
  );
});

test("peek shows the most urgent first, and nothing that a terminal would obey", async () => {
  const { disk } = await filled();
  const text = await textOf(disk, ["peek"]);
  const lines = text.trimEnd().split("\n");
  assert.match(lines[0]!, /^EDGE alarm 1 {2}2026-01-01T\S+ {2}alarms\.fire {2}3 B {2}hot$/);
  assert.match(lines[1]!, /^EDGE state 1 .*sensors\.a {2}4 B {2}21\.5$/);
  assert.match(lines[2]!, /\\x1b\[2Jgone\\u202e$/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  assert.ok(!/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/.test(text));
});

test("peek goes by lane, subject and limit", async () => {
  const { disk } = await filled();
  const seqs = async (flags: Partial<OutboxFlags>) =>
    JSON.parse(await textOf(disk, ["peek"], { ...flags, json: true })).map((each: { class: string; seq: number }) => [
      each.class,
      each.seq,
    ]);
  assert.deepEqual(await seqs({ limit: "2" }), [
    ["alarm", 1],
    ["state", 1],
  ]);
  assert.deepEqual(await seqs({ lane: "state", limit: "1" }), [["state", 1]]);
  assert.deepEqual(await seqs({ subject: "alarms.*" }), [["alarm", 1]]);
  assert.deepEqual(await seqs({ lane: "bulk" }), []);
  assert.equal(await textOf(disk, ["peek"], { lane: "bulk" }), "no such message waits on flash\n");
});

test("verify: fine with exit code 0; rot is told with its place, its numbers and what to do, with exit code 1", async () => {
  const { disk } = await filled();
  const fine = await run(disk, ["verify"]);
  assert.ok("text" in fine);
  assert.match(fine.text, /4 records: all fine/);
  assert.equal(fine.code, 0);

  const box = await OutboxHarness.open({ rules: RULES });
  for (let i = 0; i < 3; i++) {
    box.publish("sensors.a", [`reading ${i}`]);
    await box.commit();
  }
  await box[Symbol.asyncDispose]();
  await box.start({ rules: RULES }); // a later segment: what is rotten in the first is not taken for torn
  box.publish("sensors.a", ["later"]);
  await box.commit();
  await box[Symbol.asyncDispose]();
  const [segment] = box.disk.files(`${FOLDER}/state`).filter((name) => name.endsWith(".seg"));
  box.disk.rot(segment!, box.disk.peek(segment!).indexOf("reading 1"), 0x22);
  const rotten = await run(box.disk, ["verify"]);
  assert.ok("text" in rotten);
  assert.equal(rotten.code, 1);
  assert.match(
    rotten.text,
    /damaged .*\n {4}bytes \d+ to \d+ are no records: lost are messages among 2 to 2\n {4}.*replace the card/,
  );
  const report = JSON.parse(await textOf(box.disk, ["verify"], { json: true }));
  assert.deepEqual([report.ok, report.segments[0].is, report.segments[0].damage[0].from_seq], [false, "damaged", 2]);
});

test("verify walks what MQTT keeps, too: fine, and rotten; one remote alone is asked about itself", async () => {
  const { disk } = await filled();
  assert.doesNotMatch(await textOf(disk, ["verify"]), /mqtt store/);
  const clock = new FakeClock();
  const env = { clock, disk: disk.mount(), entropy: systemEntropy(), log: silentLog() };
  const options = { ...storeDefaults(), maxBytes: STORE_BYTES_MIN, freeReserve: 0 };
  for (const value of ["on", "off"]) {
    await using store = await openStore("/data/mqtt", options, env, new AbortController().signal);
    store.put("retained/light", Buffer.from(value), "soon");
  }
  const fine = await run(disk, ["verify"]);
  assert.ok("text" in fine);
  assert.match(fine.text, /mqtt store {2}fine/);
  assert.equal(fine.code, 0);
  const [segment] = disk.files("/data/mqtt").filter((name) => name.endsWith(".seg"));
  disk.rot(segment!, disk.peek(segment!).indexOf("retained/light"), 0x22);
  const rotten = await run(disk, ["verify"]);
  assert.ok("text" in rotten);
  assert.match(rotten.text, /mqtt store {2}damaged [^\n]*\n {4}\S+: bytes \d+ to \d+ are no records/);
  assert.equal(rotten.code, 1);
  const report = JSON.parse(await textOf(disk, ["verify"], { json: true }));
  assert.deepEqual([report.ok, report.mqtt_store.is_fine], [false, false]);
  const one = await run(disk, ["verify"], {}, "EDGE");
  assert.ok("text" in one);
  assert.equal(one.code, 0);
});

test("verify notices a damaged ledger", async () => {
  const { disk } = await filled();
  const path = `${FOLDER}/ledger`;
  disk.rot(path, disk.peek(path).indexOf("before"), 0x22);
  const outcome = await run(disk, ["verify"]);
  assert.ok("text" in outcome && outcome.code === 1);
  assert.match(outcome.text, /EDGE: .*ledger are damaged/);
});

test("looking beside a spoke at work disturbs neither", async () => {
  const box = await OutboxHarness.open({ rules: RULES });
  box.publish("sensors.a", ["1", "2"]);
  await box.commit();
  assert.match(await textOf(box.disk, ["stat"]), /2 waiting on flash/);
  box.up();
  await box.commit();
  box.confirm();
  assert.deepEqual(box.link.payloads, ["1", "2"]);
  assert.match(await textOf(box.disk, ["verify"]), /all fine/);
  await box[Symbol.asyncDispose]();
});

test("what somebody else has put beside the outboxes is none, and in nobody's way", async () => {
  const { disk } = await filled();
  disk.plant("/data/outbox/notes.txt", Buffer.from("x"));
  disk.plant("/data/outbox/foreign/notes.txt", Buffer.from("x"));
  const stats = JSON.parse(await textOf(disk, ["stat"], { json: true }));
  assert.deepEqual(
    stats.map((each: { remote: string }) => each.remote),
    ["EDGE"],
  );
  assert.match(await textOf(disk, ["verify"]), /all fine\n$/);
});

test("no outbox, or none of that name: said with what there is", async () => {
  const { disk } = await filled();
  await assert.rejects(run(disk, ["stat"], {}, "plant"), (error) => {
    assert.ok(error instanceof PetioleError);
    assert.equal(error.code, "OUTBOX_NOT_FOUND");
    assert.match(error.message, /no remote "plant" .* there is: EDGE$/);
    return true;
  });
  const place = { dataDir: "/elsewhere", disk: disk.mount() };
  await assert.rejects(
    runOutbox(["stat"], place, PLAIN),
    /no outbox in \/elsewhere; name the daemon's data directory with --data/,
  );
});

test("a command line that is not understood is said, with what was wanted", async () => {
  const { disk } = await filled();
  const cases: readonly (readonly [readonly string[], Partial<OutboxFlags>, RegExp])[] = [
    [[], {}, /wants stat, peek or verify, got nothing/],
    [["list"], {}, /wants stat, peek or verify, got "list"/],
    [["stat", "EDGE"], {}, /"EDGE" was not expected/],
    [["stat"], { lane: "alarm" }, /are for "petiole outbox peek"/],
    [["peek"], { lane: "urgent" }, /--lane wants one of alarm, state, telemetry, bulk, got "urgent"/],
    [["peek"], { subject: "a..b" }, /--subject wants a subject/],
    [["peek"], { limit: "0" }, /--limit wants a number from 1/],
    [["peek"], { limit: "-3" }, /--limit wants a number from 1/],
  ];
  for (const [words, flags, wanted] of cases) {
    const outcome = await run(disk, words, flags);
    assert.ok("misuse" in outcome);
    assert.match(outcome.misuse, wanted);
  }
});
