import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isValidSubject } from "#core/subject.ts";
import { composedAt } from "#wire/composed-reply.ts";

const ACK = "$JS.ACK.ORD.p.1.1.1.1790000000000000000.0";

/** The two parts of a reply, or null where it is left alone. It stands among other bytes, as in a line. */
function cut(reply: string): readonly [string, string] | null {
  const bytes = Buffer.from(`LMSG d ${reply} 2`, "latin1");
  const end = 7 + reply.length;
  const at = composedAt(bytes, 7, end);
  return at < 0 ? null : [bytes.latin1Slice(7, at), bytes.latin1Slice(at + 1, end)];
}

test("a composed reply is cut into the ack subject and the stream's subject", () => {
  assert.deepEqual(cut(`${ACK}@orders.1`), [ACK, "orders.1"]);
  assert.deepEqual(cut(`${ACK}@o`), [ACK, "o"]);
});

test("the longer ack subjects of newer hubs are cut alike", () => {
  const ack = "$JS.ACK.hub.xNZj6HOx.ORD.p.1.1.1.1790000000000000000.0.r4nd0m";
  assert.deepEqual(cut(`${ack}@orders.1`), [ack, "orders.1"]);
});

test("the first @ behind eight dots counts: others belong to names before it, or to the subject after it", () => {
  const ack = "$JS.ACK.O@D.p@q.1.1.1.17.0";
  assert.deepEqual(cut(`${ack}@orders@home.1`), [ack, "orders@home.1"]);
});

test("a reply that no stream composed is left alone", () => {
  for (const reply of [
    "_INBOX.a.b@c",
    "$JS.API.x.x.x.x.x.x.x@a",
    ACK,
    "$JS.ACK.a@b",
    "$JS.ACK.",
    "$",
    "$JS.ACK.1.2.3.4.5@late.6.7",
  ]) {
    assert.equal(cut(reply), null, reply);
  }
});

test("what is no subject is not shown as one: the reply is left alone", () => {
  for (const right of ["", ".", "a.", ".a", "a..b", "*", ">", "a.*", "a.>", "a.*.b", "a\u0001b", "a\u007f", "x".repeat(2049)]) {
    assert.equal(cut(`${ACK}@${right}`), null, JSON.stringify(right));
  }
});

test("what counts as a subject is what counts as one everywhere", () => {
  const word = fc.string({ unit: fc.constantFrom("a", ".", "*", ">", "@", "$", "\u00fc", "\u007f", "\t"), maxLength: 12 });
  fc.assert(
    fc.property(word, (right) => {
      assert.deepEqual(cut(`${ACK}@${right}`), isValidSubject(right) ? [ACK, right] : null);
    }),
  );
});
