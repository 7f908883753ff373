import assert from "node:assert/strict";
import { test } from "node:test";
import { Captures, REFRESH_MS, SPACING_MS, type StreamOfHub } from "#outbox/streams/captures.ts";
import { FILTERS_LISTED_MAX, LISTED_MAX, StreamDirectory } from "#outbox/streams/stream-directory.ts";
import { FakeClock, turn } from "../../../support/fake-clock.ts";
import { ScriptedHub } from "../../../support/scripted-jetstream.ts";

/** Captures over a scripted hub, and what they told. */
function opened(hubName = () => "hub-1") {
  const clock = new FakeClock();
  const hub = new ScriptedHub(clock);
  const state = { mayAsk: true };
  const directory = new StreamDirectory(hub, { clock, hub: hubName, mayAsk: () => state.mayAsk });
  const told: string[] = [];
  const host = { onTold: (isNews: boolean) => void told.push(isNews ? "changed" : "told") };
  const captures = new Captures(directory, host, clock);
  captures.onReady();
  const names = () => hub.asked.filter((what) => what === "STREAM.NAMES").length;
  return { clock, hub, state, captures, told, names };
}

test("a subject is unknown until the hub has said which streams take what begins like it, and asked for once", async () => {
  const { hub, captures, told } = opened();
  hub.stream("S", ["sensors.>"]);
  assert.equal(captures.of("sensors.a"), "unknown");
  assert.equal(captures.of("sensors.b"), "unknown");
  assert.equal(captures.of("alarm"), "unknown");
  assert.equal(captures.isAsking, true);
  await turn();
  assert.deepEqual([captures.of("sensors.a"), captures.of("sensors.b.c"), captures.of("alarm")], ["stored", "stored", "free"]);
  assert.deepEqual(told, ["changed"]);
  assert.deepEqual(hub.asked, ["STREAM.NAMES", "STREAM.NAMES", "STREAM.INFO.S"]);
  assert.deepEqual(hub.bodies[0], { subject: "sensors.>", offset: 0 });
  assert.equal(captures.isAsking, false);
  captures.onDown();
});

test("a stream that takes some of it only, one that acknowledges nothing, and one without subjects", async () => {
  const { hub, captures } = opened();
  hub.stream("S", ["sensors.*.temperature"]);
  hub.stream("MUTE", ["quiet.>"]).config["no_ack"] = true;
  hub.stream("MIRROR", []);
  for (const subject of ["sensors.7.temperature", "quiet.a", "copy.a"]) captures.of(subject);
  await turn();
  assert.equal(captures.of("sensors.7.temperature"), "stored");
  assert.equal(captures.of("sensors.7.humidity"), "free");
  assert.deepEqual([captures.of("quiet.a"), captures.of("copy.a")], ["free", "free"]);
  captures.onDown();
});

test("a hub without JetStream, or one whose answers we may not hear, is not asked, and nothing waits", async () => {
  const { hub, state, captures } = opened();
  state.mayAsk = false;
  assert.equal(captures.of("sensors.a"), "free");
  await turn();
  assert.deepEqual(hub.asked, []);
  captures.onInterest("sensors.>");
  captures.onDoubt();
  captures.onDown();
});

test("a hub that does not let us ask is believed to have no streams, and asked again later", async () => {
  const { clock, hub, captures, names } = opened();
  hub.fault = () => "unheard";
  captures.of("sensors.a");
  await turn();
  assert.equal(captures.of("sensors.a"), "free");
  assert.match(captures.status().trouble, /permissions/);
  assert.equal(names(), 1);
  await clock.pass(20_000);
  assert.equal(names(), 2);
  hub.fault = () => undefined;
  hub.stream("S", ["sensors.>"]);
  await clock.pass(40_000);
  assert.equal(captures.of("sensors.a"), "stored");
  assert.equal(captures.status().trouble, "");
  captures.onDown();
});

test("a JetStream that says nothing is waited for once, twelve seconds, and then asked in passing, over later links too", async () => {
  const { clock, hub, captures, told } = opened();
  hub.fault = () => "timeout";
  captures.of("sensors.a");
  await clock.pass(11_000);
  assert.equal(captures.of("sensors.a"), "unknown");
  await clock.pass(2_000);
  assert.equal(captures.of("sensors.a"), "free");
  assert.deepEqual(told, ["told"]);
  captures.onDown();
  captures.onReady();
  assert.equal(captures.of("sensors.a"), "free", "no message waits for it any more");
  hub.fault = () => undefined;
  hub.stream("S", ["sensors.>"]);
  await clock.pass(60_000);
  assert.equal(captures.of("sensors.a"), "stored");
  captures.onDown();
});

test("what streams took when they were heard last counts while their hub is silent", async () => {
  const { clock, hub, captures } = opened();
  hub.stream("S", ["sensors.>"]);
  captures.of("sensors.a");
  await turn();
  captures.onDown();
  assert.equal(captures.of("sensors.a"), "free", "without a link nobody asks");
  hub.fault = () => "timeout";
  captures.onReady();
  assert.equal(captures.of("sensors.a"), "unknown");
  await clock.pass(20_000);
  assert.equal(captures.of("sensors.a"), "stored");
  assert.match(captures.status().trouble, /did not answer/);
  captures.onDown();
});

test("streams that come and go are found within a minute, and told when they make a difference only", async () => {
  const { clock, hub, captures, told, names } = opened();
  captures.of("sensors.a");
  await turn();
  assert.deepEqual(told, ["told"]);
  await clock.pass(REFRESH_MS);
  assert.deepEqual([names(), told.length], [2, 1]);
  hub.stream("S", ["sensors.>"]);
  await clock.pass(REFRESH_MS);
  assert.deepEqual([captures.of("sensors.a"), told.at(-1)], ["stored", "changed"]);
  captures.onDown();
  await clock.pass(REFRESH_MS * 3);
  assert.equal(names(), 3, "a link that is gone asks no more");
});

test("new interest in what is sent makes it unknown until the hub was asked; interest in anything else does not", async () => {
  const { hub, captures } = opened();
  captures.of("sensors.a");
  await turn();
  assert.equal(captures.onInterest("cmd.>"), false);
  assert.equal(captures.of("sensors.a"), "free");
  hub.stream("S", ["sensors.>"]);
  assert.equal(captures.onInterest("sensors.>"), true);
  assert.equal(captures.of("sensors.a"), "unknown");
  await turn();
  assert.equal(captures.of("sensors.a"), "stored");
  captures.onDown();
});

test("interest that changes all the time is asked about ever more rarely, and holds nothing up meanwhile", async () => {
  const { clock, captures, names } = opened();
  captures.of("sensors.a");
  await turn();
  let unknown = 0;
  for (let seconds = 0; seconds < 600; seconds++) {
    captures.onInterest(`sensors.${seconds}`);
    if (captures.of("sensors.a") === "unknown") unknown += 1;
    await clock.pass(1_000);
  }
  assert.ok(names() < 20, `asked ${names()} times in ten minutes`);
  assert.ok(unknown < 5, `messages waited ${unknown} times`);
  captures.onDown();
});

test("a message that was not stored has the hub asked again, with nothing remembered", async () => {
  const { clock, hub, captures } = opened();
  const stream = hub.stream("S", ["sensors.>"]);
  captures.of("sensors.a");
  await turn();
  stream.config["subjects"] = ["elsewhere.>", "sensors.b"];
  captures.onDoubt();
  captures.onDoubt();
  await clock.pass(SPACING_MS);
  assert.equal(captures.of("sensors.a"), "free");
  assert.equal(hub.asked.filter((what) => what === "STREAM.INFO.S").length, 2);
  captures.onDown();
});

test("subjects of many kinds are asked for in one go, and later ones of any kind not at all", async () => {
  const { hub, captures } = opened();
  hub.stream("S", ["device-7.>"]);
  for (let i = 0; i < 100; i++) captures.of(`device-${i}.state`);
  await turn();
  assert.deepEqual(hub.bodies[0], { subject: ">", offset: 0 });
  assert.deepEqual([captures.of("device-7.state"), captures.of("device-8.state")], ["stored", "free"]);
  assert.equal(captures.of("device-1000.state"), "free");
  assert.equal(hub.asked.length, 2);
  captures.onDown();
});

test("an account with more streams than are looked at says so, and those that were looked at count", async () => {
  const { hub, captures } = opened();
  for (let i = 0; i < LISTED_MAX + 5; i++) hub.stream(`S${i}`, [`sensors.${i}.>`]);
  captures.of("sensors.0.a");
  await turn();
  assert.equal(captures.of("sensors.0.a"), "stored");
  assert.equal(captures.of(`sensors.${LISTED_MAX + 1}.a`), "free");
  assert.match(captures.status().trouble, /more than 128 streams/);
  captures.onDown();
});

test("nonsense from the hub is no stream", async () => {
  const { hub, captures } = opened();
  hub.stream("S", ["sensors.>"]);
  const lies: Record<string, string> = {
    "STREAM.NAMES": '{"streams":["S",7,null,"a b","S"],"total":5}',
    "STREAM.INFO.S": '{"config":7}',
  };
  hub.fault = (what) => ({ says: lies[what]! });
  captures.of("sensors.a");
  await turn();
  assert.equal(captures.of("sensors.a"), "free");
  captures.onDown();
});

test("an answer that comes when the link is another one changes nothing", async () => {
  const { clock, captures, told, hub } = opened();
  hub.fault = () => "timeout";
  captures.of("sensors.a");
  await turn();
  captures.onDown();
  captures.onReady();
  await clock.pass(30_000);
  assert.deepEqual(told, []);
  const known: StreamOfHub[] = [];
  assert.deepEqual(captures.status(), { streams: known, trouble: "" });
  captures.onDown();
});

test("a stream whose INFO nobody answers, as while its cluster elects, is what it was before, and is asked for again soon", async () => {
  const { clock, hub, captures, names } = opened();
  const stream = hub.stream("S", ["sensors.>"]);
  hub.stream("T", ["other.>"]);
  captures.of("sensors.a");
  await turn();
  hub.fault = (what) => (what === "STREAM.INFO.S" ? "timeout" : undefined);
  captures.onDoubt();
  await clock.pass(SPACING_MS + 20_000);
  assert.equal(captures.of("sensors.a"), "stored");
  assert.match(captures.status().trouble, /stream S: /);
  stream.config["subjects"] = ["elsewhere.>"];
  hub.fault = () => undefined;
  const before = names();
  await clock.pass(REFRESH_MS / 2);
  assert.ok(names() > before, "sooner than in a minute");
  assert.equal(captures.of("sensors.a"), "free", "what it said before was not remembered for longer");
  assert.equal(captures.status().trouble, "");
  captures.onDown();
});

test("another hub's streams are asked for anew, though they have the names of the first one's", async () => {
  let name = "hub-1";
  const { hub, captures } = opened(() => name);
  const stream = hub.stream("S", ["sensors.>"]);
  captures.of("sensors.a");
  await turn();
  captures.onDown();
  name = "hub-2";
  stream.config["subjects"] = ["other.>"];
  captures.onReady();
  for (const subject of ["sensors.a", "other.a"]) captures.of(subject);
  await turn();
  assert.deepEqual([captures.of("sensors.a"), captures.of("other.a")], ["free", "stored"]);
  captures.onDown();
});

test("a hub that never says a word is not believed to have the streams of another one", async () => {
  let name = "hub-1";
  const { clock, hub, captures } = opened(() => name);
  hub.stream("S", ["sensors.>"]);
  captures.of("sensors.a");
  await turn();
  captures.onDown();
  name = "hub-2";
  hub.fault = () => "timeout";
  captures.onReady();
  assert.equal(captures.of("sensors.a"), "unknown");
  await clock.pass(20_000);
  assert.equal(captures.of("sensors.a"), "free");
  captures.onDown();
  name = "hub-1";
  captures.onReady();
  assert.equal(captures.of("sensors.a"), "unknown", "the first one will answer");
  captures.onDown();
});

test("a stream that is made while the hub is being asked is not missed", async () => {
  const { hub, captures, told } = opened();
  captures.of("sensors.a");
  await Promise.resolve(); // the question has left, its answer has not been read
  assert.deepEqual(hub.asked, ["STREAM.NAMES"]);
  hub.stream("S", ["sensors.>"]);
  assert.equal(captures.onInterest("sensors.>"), true);
  await turn();
  assert.deepEqual(told, ["changed"], "the first answer was none");
  assert.equal(captures.of("sensors.a"), "stored");
  captures.onDown();
});

test("a JetStream that comes while the link lives is asked, and one that goes is not waited for", async () => {
  const { clock, hub, state, captures } = opened();
  hub.stream("S", ["sensors.>"]);
  captures.onDown();
  state.mayAsk = false;
  captures.onReady();
  assert.equal(captures.of("sensors.a"), "free");
  assert.equal(captures.onApi(), false);
  state.mayAsk = true;
  assert.equal(captures.onApi(), true);
  assert.equal(captures.onApi(), false);
  assert.equal(captures.of("sensors.a"), "unknown");
  await turn();
  assert.equal(captures.of("sensors.a"), "stored");
  state.mayAsk = false;
  assert.equal(captures.onApi(), true);
  assert.equal(captures.of("sensors.a"), "free");
  await clock.pass(REFRESH_MS);
  captures.onDown();
});

test("streams that take more than is remembered say so, and a hundred thousand subjects are told apart quickly", async () => {
  const { hub, captures } = opened();
  hub.stream(
    "MANY",
    Array.from({ length: FILTERS_LISTED_MAX - 1 }, (_, i) => `sensors.${i}.>`),
  );
  hub.stream("MORE", ["other.a", "other.b"]);
  for (const subject of ["sensors.0.a", "other.a"]) captures.of(subject);
  await turn();
  assert.deepEqual(
    [captures.of("sensors.8190.a"), captures.of("sensors.8191.a"), captures.of("other.a")],
    ["stored", "free", "free"],
  );
  assert.match(captures.status().trouble, /more than 8192 filters/);
  const startedAt = performance.now();
  for (let i = 0; i < 100_000; i++) captures.of(`sensors.${i}.a`);
  assert.ok(performance.now() - startedAt < 2_000, "a search through all of them would take a minute");
  captures.onDown();
});
