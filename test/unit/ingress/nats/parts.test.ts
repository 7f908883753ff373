import assert from "node:assert/strict";
import { test } from "node:test";
import { UNRESTRICTED } from "#access/permissions.ts";
import { systemEntropy } from "#base/entropy.ts";
import { ProtocolError } from "#base/errors.ts";
import { parseConnect, WITHOUT_CONNECT } from "#ingress/nats/connect-request.ts";
import { errTextFor } from "#ingress/nats/errors.ts";
import { BORN, type LifeEvent, step } from "#ingress/nats/life.ts";
import { SafeReplies } from "#ingress/nats/safe-replies.ts";
import { Subscriptions } from "#ingress/nats/subscriptions.ts";
import { AccountRouter } from "#router/router.ts";
import { RecordingSink } from "../../../support/router-fixtures.ts";

test("a connection's life goes one way, and what means nothing changes nothing", () => {
  const walk = (...events: readonly LifeEvent[]) => events.reduce(step, BORN).at;
  const end = { on: "end", ending: "closed" } as const;
  assert.equal(walk({ on: "connect" }), "authenticating");
  assert.equal(walk({ on: "admitted" }), "awaiting-connect");
  assert.equal(walk({ on: "drain" }), "awaiting-connect");
  assert.equal(walk({ on: "connect" }, { on: "admitted" }), "connected");
  assert.equal(walk({ on: "connect" }, { on: "drain" }), "authenticating");
  assert.equal(walk({ on: "connect" }, { on: "admitted" }, { on: "connect" }), "connected");
  assert.equal(walk({ on: "connect" }, { on: "admitted" }, { on: "drain" }), "draining");
  assert.deepEqual([end, { on: "end", ending: "slow" } as const].reduce(step, BORN), { at: "closed", ending: "closed" });
  const closed = step(BORN, end);
  for (const event of [{ on: "connect" }, { on: "admitted" }, { on: "drain" }] as const)
    assert.equal(step(closed, event), closed);
});

test("CONNECT means what it says, and what it leaves out means what it means to nats-server", () => {
  assert.deepEqual(parseConnect("{}"), WITHOUT_CONNECT);
  assert.deepEqual(WITHOUT_CONNECT, {
    user: null,
    password: null,
    token: null,
    nkey: null,
    jwt: null,
    signature: null,
    isVerbose: true,
    wantsEcho: true,
    takesHeaders: false,
    wantsNoResponders: false,
    name: "",
    library: "",
  });
  const said = {
    user: "ann",
    pass: "p",
    verbose: false,
    pedantic: false,
    echo: false,
    headers: true,
    no_responders: true,
    name: "tool",
    lang: "nats.js",
    version: "3.4.0",
    protocol: 1,
    tls_required: false,
    unknown: [1],
  };
  assert.deepEqual(parseConnect(JSON.stringify(said)), {
    user: "ann",
    password: "p",
    token: null,
    nkey: null,
    jwt: null,
    signature: null,
    isVerbose: false,
    wantsEcho: false,
    takesHeaders: true,
    wantsNoResponders: true,
    name: "tool",
    library: "nats.js 3.4.0",
  });
  assert.equal(parseConnect('{"user":"","pass":"","name":null}').user, null);
  assert.equal(parseConnect('{"auth_token":"t"}').token, "t");
});

test("a CONNECT that cannot be read is told without quoting it", () => {
  for (const json of [
    '{"pass":"hunter2"',
    '["hunter2"]',
    '"hunter2"',
    "null",
    "",
    '{"pass":["hunter2"]}',
    '{"echo":"hunter2"}',
  ]) {
    assert.throws(
      () => parseConnect(json),
      (error) => error instanceof ProtocolError && error.code === "NATS_BAD_CONNECT" && !error.message.includes("hunter2"),
      json,
    );
  }
});

test("each breach has words that client libraries know", () => {
  const textOf = (code: string) => errTextFor(new ProtocolError(code, "x"));
  assert.equal(textOf("WIRE_TOO_LARGE"), "Maximum Payload Violation");
  assert.equal(textOf("WIRE_LINE_TOO_LONG"), "maximum control line exceeded");
  assert.equal(textOf("WIRE_UNKNOWN_OPERATION"), "Unknown Protocol Operation");
  assert.equal(textOf("WIRE_BAD_ENDING"), "Parser Error");
  assert.equal(textOf("NATS_NOT_CONNECTED"), "Authorization Violation");
});

test("replies wait for their ticket, in order, over any number of them", () => {
  const replies = new SafeReplies();
  assert.equal(replies.add(0, "now"), true);
  assert.equal(replies.add(3, "a"), false);
  assert.equal(replies.add(0, "b"), false, "it waits its turn behind a");
  assert.equal(replies.add(5, "c"), false);
  replies.release(3);
  assert.deepEqual([replies.take(), replies.take(), replies.take()], ["a", "b", undefined]);
  assert.equal(replies.size, 1);
  replies.release(5);
  assert.equal(replies.take(), "c");
  assert.equal(replies.add(4, "late"), true, "a ticket that is safe already");
  const many = Array.from({ length: 5000 }, (_, i) => `r${i}`);
  for (const [i, reply] of many.entries()) assert.equal(replies.add(10 + i, reply), false);
  replies.release(10_000);
  assert.deepEqual(
    many.map(() => replies.take()),
    many,
  );
  assert.equal(replies.take(), undefined);
  replies.add(99_999, "dropped");
  replies.clear();
  assert.equal(replies.size, 0);
});

test("who hears a reply is found among its own subscriptions, without a look at each of ten thousand", () => {
  const account = new AccountRouter("EDGE", systemEntropy());
  const subscriptions = new Subscriptions(account, new RecordingSink(), { publish: UNRESTRICTED, subscribe: UNRESTRICTED });
  account.subscribe(new RecordingSink().subscription("_INBOX.>"));
  let looks = 0;
  for (let i = 0; i < 9_999; i++) subscriptions.add(`a.${i}`, null, `${i}`);
  const get = () => {
    looks += 1;
    return "a";
  };
  for (const one of subscriptions.all()) Object.defineProperty(one, "filter", { get });
  assert.equal(subscriptions.forReply("_INBOX.x"), undefined, "somebody else's");
  assert.equal(looks, 0);
  subscriptions.add("_INBOX.*", null, "inbox");
  assert.equal(subscriptions.forReply("_INBOX.x")?.sid, "inbox");
  subscriptions.withdraw();
  assert.equal(subscriptions.forReply("_INBOX.y")?.sid, "inbox", "known as long as answers are owed");
  subscriptions.end("inbox", 0);
  assert.equal(subscriptions.forReply("_INBOX.y"), undefined);
});
