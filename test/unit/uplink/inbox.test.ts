import assert from "node:assert/strict";
import { test } from "node:test";
import { systemEntropy } from "#base/entropy.ts";
import { type Batch, payloadOf, ROUTED, ROUTED_END, SPAN_WORDS, subjectOf } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { PubAck } from "#outbox/streams/pub-ack.ts";
import { Inbox, REQUESTS_MAX } from "#uplink/inbox.ts";
import { WireWriter } from "#wire/wire-writer.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { batchOf, message } from "../../support/router-fixtures.ts";

const STORED = '{"stream":"S","seq":9}';

interface Places {
  readonly inbox?: "closed";
  readonly mute?: string;
  readonly groups?: readonly string[];
  readonly hasJetStream?: boolean;
}

function opened(options: Places = {}) {
  const clock = new FakeClock();
  const out = new WireWriter();
  const answers: [number, number, PubAck["is"]][] = [];
  const state = { isUp: true };
  const inbox: Inbox = new Inbox({
    clock,
    entropy: systemEntropy(),
    view: {
      listening: (subject) => (subject === options.mute ? "never" : "now"),
      groups: () => options.groups ?? [],
      mayExport: () => true,
    },
    carrier: () =>
      state.isUp ? { out, inbox: options.inbox === "closed" ? null : inbox.prefix, flushSoon: () => undefined } : undefined,
    onAnswer: (classIndex, seq, answer) => void answers.push([classIndex, seq, answer.is]),
    hasJetStream: () => options.hasJetStream ?? true,
  });
  const written = () => out.take().toString("latin1");
  const texts = (batch: Batch) =>
    Array.from({ length: batch.count }, (_, i) => `${subjectOf(batch, i)}=${payloadOf(batch, i).toString()}`);
  return { clock, inbox, answers, state, written, texts };
}

test("a batch without an answer passes as it is", () => {
  const { inbox, answers } = opened();
  const batch = batchOf(message("cmd.a", "1"), message("_INBOX.other.1", "2"), message(`${inbox.prefix}`, "3"));
  assert.equal(inbox.sift(batch), batch);
  assert.equal(inbox.sift(batchOf()).count, 0);
  assert.deepEqual(answers, []);
});

test("answers are taken out wherever they stand, the rest stays in order", () => {
  const { inbox, answers, texts } = opened();
  const { prefix } = inbox;
  const rest = inbox.sift(
    batchOf(
      message("cmd.a", "1"),
      message(`${prefix}.2.17`, STORED),
      message("cmd.b", "2"),
      message(`${prefix}.0.9007199254740991`, "?"),
      message(`${prefix}.3.1`, '{"error":{"code":503,"err_code":10077}}'),
      message("cmd.c", "3"),
    ),
  );
  assert.deepEqual(texts(rest), ["cmd.a=1", "cmd.b=2", "cmd.c=3"]);
  assert.deepEqual(answers, [
    [2, 17, "stored"],
    [0, 9007199254740991, "garbage"],
    [3, 1, "refused"],
  ]);
  assert.equal(inbox.sift(batchOf(message(`${prefix}.1.1`, STORED))).count, 0);
  assert.equal(texts(inbox.sift(batchOf(message("cmd.d", "4")))).join(), "cmd.d=4");
});

test("a batch of thousands leaves as many as were for others", () => {
  const { inbox, answers } = opened();
  const all = Array.from({ length: 4000 }, (_, i) =>
    i % 2 === 0 ? message(`${inbox.prefix}.1.${i}`, STORED) : message(`cmd.${i}`),
  );
  const rest = inbox.sift(batchOf(...all));
  assert.deepEqual([rest.count, subjectOf(rest, 0), subjectOf(rest, 1999), answers.length], [2000, "cmd.1", "cmd.3999", 2000]);
});

test("what a stream delivers to the inbox is known by where it was sent, not by the stream's subject", () => {
  const { inbox, texts } = opened();
  const stray = new BatchBuilder();
  stray.beginOwn();
  stray.add(message("sensors.a", "kept"));
  stray.add(message(`${inbox.prefix}.r.1`, ""));
  stray.spans[ROUTED] = stray.spans[SPAN_WORDS + ROUTED]!;
  stray.spans[ROUTED_END] = stray.spans[SPAN_WORDS + ROUTED_END]!;
  stray.count = 1;
  assert.deepEqual(texts(inbox.sift(stray)), []);
});

test("subjects in the inbox that nobody was given are dropped, and shown to nobody", () => {
  const { inbox, answers } = opened();
  const names = [
    "1",
    "x.1",
    "1.x",
    "1.",
    ".1",
    "-1.5",
    "1.2.3",
    "r",
    "r.",
    "r.x",
    "rr.1",
    "r.99",
    "1.99999999999999999",
    "1.9007199254740993",
  ];
  const rest = inbox.sift(batchOf(...names.map((name) => message(`${inbox.prefix}.${name}`, STORED))));
  assert.equal(rest.count, 0);
  assert.deepEqual(answers, []);
});

test("two lives have two inboxes, neither guessable", () => {
  const [one, other] = [opened().inbox.prefix, opened().inbox.prefix];
  assert.match(one, /^_INBOX\.[0-9a-z]{22}$/);
  assert.notEqual(one, other);
});

test("a request is written with a reply of its own and answered as often as it likes", async () => {
  const { inbox, written } = opened();
  const seen: string[] = [];
  const asked = inbox.ask("$JS.API.INFO", '{"ä":1}', 1000, (headers, payload) => {
    seen.push(`${headers}|${payload.toString()}`);
    return seen.length === 2;
  });
  assert.equal(written(), `LMSG $JS.API.INFO ${inbox.prefix}.r.1 8\r\n{"Ã¤":1}\r\n`);
  const headers = Buffer.from("NATS/1.0\r\nA: b\r\n\r\n");
  inbox.sift(batchOf({ ...message(`${inbox.prefix}.r.1`, "one"), headers }, message(`${inbox.prefix}.r.2`, "of nobody")));
  inbox.sift(batchOf(message(`${inbox.prefix}.r.1`, "two"), message(`${inbox.prefix}.r.1`, "too late")));
  assert.equal(await asked, "answered");
  assert.deepEqual(seen, ["NATS/1.0\r\nA: b\r\n\r\n|one", "|two"]);
});

test("a queue group that must be named is named", async () => {
  const { inbox, written } = opened({ groups: ["_sys_"] });
  const asked = inbox.ask("a", "", 1000, () => true);
  assert.equal(written(), `LMSG a + ${inbox.prefix}.r.1 _sys_ 0\r\n\r\n`);
  inbox.onDown();
  assert.equal(await asked, "down");
});

test("no answer in time, no link, an inbox the hub keeps shut, nobody who listens: told apart", async () => {
  const { clock, inbox, state } = opened();
  const asked = inbox.ask("a", "", 1000, () => false);
  clock.advance(999);
  inbox.sift(batchOf(message(`${inbox.prefix}.r.1`, "not enough")));
  clock.advance(1);
  assert.equal(await asked, "timeout");
  const lost = inbox.ask("a", "", 1000, () => true);
  inbox.onDown();
  assert.equal(await lost, "down");
  state.isUp = false;
  assert.equal(await inbox.ask("a", "", 1000, () => true), "down");
  assert.equal(clock.pending, 0);
  assert.equal(await opened({ inbox: "closed" }).inbox.ask("a", "", 1000, () => true), "unheard");
  assert.equal(await opened({ mute: "a" }).inbox.ask("a", "", 1000, () => true), "unheard");
});

test("requests under way are bounded", async () => {
  const { inbox, clock } = opened();
  const all = Array.from({ length: REQUESTS_MAX }, () => inbox.ask("a", "", 1000, () => true));
  assert.equal(await inbox.ask("a", "", 1000, () => true), "unheard");
  inbox.onDown();
  assert.deepEqual(new Set(await Promise.all(all)), new Set(["down"]));
  assert.equal(clock.pending, 0);
});

test("a hub that announces no API of JetStream is not asked for one, whoever listens to everything", async () => {
  const { inbox, written } = opened({ hasJetStream: false });
  assert.equal(await inbox.ask("$JS.API.INFO", "", 1000, () => true), "unheard");
  assert.equal(written(), "");
});
