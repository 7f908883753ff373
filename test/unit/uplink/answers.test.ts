import assert from "node:assert/strict";
import { test } from "node:test";
import { Answers, REPLIES_MAX, REPLY_TTL_MS } from "#uplink/answers.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { batchOf, message } from "../../support/router-fixtures.ts";

const LISTS = { imports: { allow: ["cmd.>"], deny: [] }, exports: { allow: ["sensors.>"], deny: [] } };
const STRICT = { version: "2.15.1", ...LISTS };

function opened(options: { readonly denied?: string } = {}) {
  const clock = new FakeClock();
  const answers = new Answers(clock, (subject) => subject === options.denied);
  answers.learn(STRICT);
  const ask = (reply: string) => answers.note(batchOf({ ...message("cmd.x"), reply }));
  return { clock, answers, ask };
}

test("the reply of a request is awaited for a while, and forgotten with the link", () => {
  const { clock, answers, ask } = opened();
  assert.equal(answers.isAwaited("_INBOX.a"), false);
  ask("_INBOX.a");
  assert.equal(answers.isAwaited("_INBOX.a"), true);
  clock.advance(REPLY_TTL_MS - 1);
  assert.equal(answers.isAwaited("_INBOX.a"), true);
  clock.advance(1);
  assert.equal(answers.isAwaited("_INBOX.a"), false);
  ask("_INBOX.b");
  answers.forget();
  assert.equal(answers.isAwaited("_INBOX.b"), false);
});

test("a message without a reply, and a stream's delivery, await nothing", () => {
  const { answers, ask } = opened();
  answers.note(batchOf(message("cmd.x")));
  ask("$JS.ACK.ORD.p.1.1.1.17.0");
  assert.deepEqual([answers.isAwaited(""), answers.isAwaited("$JS.ACK.ORD.p.1.1.1.17.0")], [false, false]);
});

test("leave beyond the export list is given once a request", () => {
  const { answers, ask } = opened();
  ask("_INBOX.a");
  assert.deepEqual([answers.spend("_INBOX.a"), answers.spend("_INBOX.a")], [true, false]);
  assert.equal(answers.isAwaited("_INBOX.a"), true, "its interest is not used up");
  ask("_INBOX.a");
  assert.equal(answers.spend("_INBOX.a"), true, "asked again");
  assert.equal(answers.spend("_INBOX.never"), false);
});

test("a reply through a service import is answered as often as one likes", () => {
  const { answers, ask } = opened({ denied: "_R_.a.b" });
  ask("_R_.a.b");
  assert.deepEqual([answers.spend("_R_.a.b"), answers.spend("_R_.a.b")], [true, true]);
});

test("deny_exports holds for answers", () => {
  const { answers, ask } = opened({ denied: "replies.secret" });
  ask("replies.secret");
  assert.equal(answers.spend("replies.secret"), false);
});

test("a strict hub that shows no import list remembers no replies: nothing is tried", () => {
  const { answers, ask } = opened();
  answers.learn({ ...STRICT, imports: null });
  ask("_INBOX.a");
  assert.equal(answers.spend("_INBOX.a"), false);
  answers.learn({ ...STRICT, version: "2.10.27", imports: null });
  assert.equal(answers.spend("_INBOX.a"), true, "a hub that checks nothing");
});

test("after one refused answer no other is tried, until the hub's lists change", () => {
  const { answers, ask } = opened();
  ask("_INBOX.a");
  ask("_INBOX.b");
  answers.spend("_INBOX.a");
  assert.equal(answers.onRefused("_INBOX.b"), false, "that was no answer of ours");
  assert.equal(answers.onRefused("_INBOX.a"), true);
  assert.equal(answers.spend("_INBOX.b"), false);
  answers.forget();
  answers.learn(STRICT);
  ask("_INBOX.c");
  assert.equal(answers.spend("_INBOX.c"), false, "the next link has the same lists");
  answers.learn({ ...STRICT, exports: { allow: ["sensors.>", "state.>"], deny: [] } });
  assert.equal(answers.spend("_INBOX.c"), true);
});

test("of more requests than fit the oldest are forgotten", () => {
  const { answers, ask } = opened();
  for (let i = 0; i <= REPLIES_MAX; i++) ask(`_INBOX.${i}`);
  assert.deepEqual([answers.isAwaited("_INBOX.0"), answers.isAwaited("_INBOX.1")], [false, true]);
  assert.equal(answers.isAwaited(`_INBOX.${REPLIES_MAX}`), true);
});
