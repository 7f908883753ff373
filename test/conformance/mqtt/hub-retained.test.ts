// Retained messages here and at a hub that speaks MQTT, kept alike: in what order what comes counts. With real hubs:
// test/integration/mqtt-hub.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { systemEntropy } from "#base/entropy.ts";
import { createLog } from "#base/log.ts";
import { type Batch, payloadOf, REPLY, REPLY_END, ROUTED, ROUTED_END, replyOf, subjectOf } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Taken } from "#core/sink.ts";
import { encodeHubRecord } from "#ingress/mqtt/hub-record.ts";
import { HubRetained } from "#ingress/mqtt/hub-retained.ts";
import { RetainedShelf } from "#ingress/mqtt/retained-shelf.ts";
import { volatileKeeping } from "#ingress/mqtt/volatile-keeping.ts";
import { AccountRouter } from "#router/router.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { batchOf, message, RecordingOrigin, RecordingUpstream } from "../../support/router-fixtures.ts";

const US = "petiole-d";
const STREAM = "$JS.API.STREAM.INFO.$MQTT_rmsgs";
const CONSUMER = "$JS.API.CONSUMER.CREATE.$MQTT_rmsgs";

interface Stored {
  readonly seq: number;
  readonly origin: string;
  readonly payload: string;
}

interface FollowFacts {
  /** Of the stream. */
  readonly config?: object;
  /** So many more are there and do not come. */
  readonly missing?: number;
  /** Another hub than the one that told of its stream makes the consumer. */
  readonly isOtherHub?: boolean;
  /** After the hub has told of its stream. */
  readonly between?: () => void;
}

/** The hub's side of it: what it is asked and told, and what it says. */
class Hub extends RecordingUpstream {
  override stages = false;
  link = {};
  readonly asked = new Map<string, string>();
  readonly told: string[] = [];

  override take(batch: Batch, index: number): Taken {
    const subject = subjectOf(batch, index);
    this.asked.set(subject, replyOf(batch, index));
    if (subject.startsWith("$MQTT.rmsgs.")) {
      const { msg } = JSON.parse(payloadOf(batch, index).toString());
      this.told.push(`${subject.slice(12)}=${Buffer.from(msg, "base64")}`);
    }
    return "passed";
  }
}

function open({ goUp = true } = {}) {
  const clock = new FakeClock();
  const log = createLog(clock, "debug", () => undefined);
  const account = new AccountRouter("EDGE", systemEntropy());
  const hub = new Hub();
  account.addUpstream(hub);
  const door = account.open(new RecordingOrigin("hub"));
  const otherDoor = account.open(new RecordingOrigin("hub"));
  const store = new RetainedShelf({ maxMessages: 100, maxBytes: 1 << 20 }, { keeping: volatileKeeping(), clock, log }).of("EDGE");
  const deps = { account, clock, log, store, entropy: systemEntropy(), origin: US, comeDown: true, goUp };
  const retained = new HubRetained({ ...deps, hubs: () => [{ hub: "h", takes: "yes", link: hub.link }] });
  let delivered = 0;
  /** Whoever asked for a stream of so many changes, made then, gets all that it holds. */
  const follow = (created: string, lastSeq: number, all: Readonly<Record<string, Stored>>, more: FollowFacts = {}) => {
    const { config, missing = 0, isOtherHub = false, between } = more;
    delivered = 0;
    clock.advance(2_000); // by then it is known that the link is another one
    door.publish(batchOf(message(hub.asked.get(STREAM)!, JSON.stringify({ created, config, state: { last_seq: lastSeq } }))));
    clock.advance(0);
    between?.();
    const entries = Object.entries(all);
    const pending = entries.length + missing;
    const answer = batchOf(message(hub.asked.get(CONSUMER)!, JSON.stringify({ name: "c", num_pending: pending })));
    (isOtherHub ? otherDoor : door).publish(answer);
    for (const [i, [subject, stored]] of entries.entries()) comes(subject, stored, pending - 1 - i);
  };
  const comes = (subject: string, { seq, origin, payload }: Stored, pending = 0) => {
    delivered += 1;
    const ack = `$JS.ACK.$MQTT_rmsgs.c.1.${seq}.${delivered}.${clock.wall() * 1e6}.${pending}`;
    const inbox = `${hub.asked.get(CONSUMER)!.slice(0, -2)}.d`;
    const batch = new BatchBuilder();
    batch.beginOwn();
    const record = encodeHubRecord({ subject, qos: 1, payload: Buffer.from(payload) }, origin);
    batch.add({ ...message(`$MQTT.rmsgs.${subject}`), reply: ack + inbox, payload: record });
    batch.spans[REPLY_END] = batch.spans[ROUTED] = batch.spans[REPLY]! + ack.length; // by the inbox it came, not by its subject
    batch.spans[ROUTED_END] = batch.spans[REPLY]! + ack.length + inbox.length;
    door.publish(batch);
  };
  const retain = (subject: string, payload: string) => {
    retained.onSent(subject);
    const rest = { headers: Buffer.alloc(0), reply: "", qos: 1 as const, isRetained: true, deadlineWall: 0 };
    store.put({ subject, payload: Buffer.from(payload), ...rest }, "ann");
  };
  const here = () => Array.from(store.all(), ({ message: { subject, payload } }) => `${subject}=${payload}`).sort();
  /** The link breaks, and another one is there. */
  const relink = () => {
    hub.link = {};
  };
  /** What the hub says to the wish for a consumer. */
  const answers = (answer: object) => {
    clock.advance(15_000); // after so long it asks again
    door.publish(batchOf(message(hub.asked.get(STREAM)!, "{}")));
    clock.advance(0);
    door.publish(batchOf(message(hub.asked.get(CONSUMER)!, JSON.stringify(answer))));
  };
  const trouble = () => retained.trouble;
  /** A hub of 2.10 tells its peers that nothing is retained there any more. */
  const clears = (subject: string) =>
    void door.publish(batchOf(message("$MQTT.JSA.peer.RD", JSON.stringify({ subject, seq: 1 }))));
  return {
    hub,
    follow,
    comes,
    retain,
    here,
    relink,
    answers,
    trouble,
    clears,
    [Symbol.dispose]: () => retained[Symbol.dispose](),
  };
}

const ours = (seq: number, payload: string): Stored => ({ seq, origin: US, payload });
const theirs = (seq: number, payload: string): Stored => ({ seq, origin: "SERVER", payload });

test("what the hub stored between two of ours that are under way is passed over, for the second of ours will be the last word", () => {
  using rig = open();
  rig.follow("t1", 0, {});
  rig.retain("a", "first");
  rig.retain("a", "second");
  rig.comes("a", ours(1, "first"));
  rig.comes("a", theirs(2, "between"));
  rig.comes("a", ours(3, "second"));
  assert.deepEqual(rig.here(), ["a=second"]);
  rig.comes("a", theirs(4, "after"));
  assert.deepEqual(rig.here(), ["a=after"]);
  rig.retain("a", "third");
  rig.retain("a", "fourth");
  rig.comes("a", ours(6, "fourth")); // the third was overwritten there before we were shown it
  rig.comes("a", theirs(7, "last"));
  assert.deepEqual(rig.here(), ["a=last"]);
});

test("one of ours that the stream has shown and has no more was cleared; one that it never showed, or another stream lacks, is told", () => {
  using rig = open();
  rig.follow("t1", 0, {});
  for (const subject of ["kept", "cleared", "anew"]) rig.retain(subject, "1");
  for (const [i, subject] of ["kept", "cleared", "anew"].entries()) rig.comes(subject, ours(1 + i, "1"));
  rig.relink();
  rig.retain("anew", "2"); // it was cleared there, and here is a new one
  rig.retain("never", "1");
  rig.follow("t1", 9, { kept: ours(1, "1") });
  assert.deepEqual(rig.here(), ["anew=2", "kept=1", "never=1"]);
  assert.deepEqual(rig.hub.told, ["anew=2", "never=1"]);
  rig.comes("anew", ours(10, "2"));
  rig.comes("never", ours(11, "1"));
  rig.relink();
  rig.follow("t1", 10, { kept: ours(1, "1"), anew: ours(10, "2") }); // set back to what it was before the last one
  assert.deepEqual(rig.hub.told.slice(2), ["never=1"]);
  rig.relink();
  rig.follow("t2", 50, {}); // another one under the same name
  assert.deepEqual(rig.here(), ["anew=2", "kept=1", "never=1"]);
  assert.deepEqual(rig.hub.told.slice(3).sort(), ["anew=2", "kept=1", "never=1"]);
});

test("a break too short for a heartbeat to be missed is noticed all the same", () => {
  using rig = open();
  rig.follow("t1", 1, { theirs: theirs(1, "x") });
  assert.deepEqual(rig.here(), ["theirs=x"]);
  rig.relink();
  rig.follow("t1", 1, {}); // cleared meanwhile, and 2.10 leaves no trace of that in the stream
  assert.deepEqual(rig.here(), []);
});

test("what one stream has shown says nothing of another one, not even where its listing was cut", () => {
  using rig = open();
  rig.follow("t1", 9, {});
  rig.relink();
  rig.retain("a", "1");
  rig.follow("t2", 9, { a: ours(5, "1") }, { missing: 1 });
  rig.relink();
  rig.follow("t1", 9, {}); // it never had it
  assert.deepEqual(rig.here(), ["a=1"]);
  assert.deepEqual(rig.hub.told, ["a=1"]);
});

test("a consumer of another hub, or of another link, than the one that told of its stream proves nothing cleared", () => {
  using rig = open();
  rig.retain("a", "1");
  rig.follow("t1", 9, { a: ours(5, "1") });
  rig.relink();
  rig.follow("t1", 9, {}, { isOtherHub: true });
  assert.deepEqual(rig.here(), ["a=1"]);
  rig.relink();
  rig.follow("t1", 9, { a: ours(9, "1") });
  rig.relink();
  rig.follow("t1", 9, {}, { between: rig.relink });
  assert.deepEqual(rig.here(), ["a=1"]);
});

test("what a stream that drops by itself has no more was not cleared", () => {
  for (const config of [{ max_age: 3_600e9 }, { max_msgs: 100 }, { max_bytes: 1 << 20 }]) {
    using rig = open();
    rig.retain("a", "1");
    rig.follow("t1", 9, { a: ours(5, "1") }, { config });
    rig.relink();
    rig.follow("t1", 9, {}, { config });
    assert.deepEqual(rig.here(), ["a=1"], JSON.stringify(config));
  }
  using rig = open();
  const config = { max_age: 0, max_msgs: -1, max_bytes: -1, max_msgs_per_subject: 1 };
  rig.retain("a", "1");
  rig.follow("t1", 9, { a: ours(5, "1") }, { config });
  rig.relink();
  rig.follow("t1", 9, {}, { config });
  assert.deepEqual(rig.here(), []);
});

test("what was cleared at the hub before one of ours got there does not cost ours; one that it has shown ends with it", () => {
  using rig = open();
  rig.follow("t1", 9, { a: theirs(5, "1") });
  rig.relink();
  rig.retain("a", "2");
  rig.follow("t1", 9, {}, { between: () => rig.clears("a") });
  assert.deepEqual([rig.here(), rig.hub.told], [["a=2"], ["a=2"]]);
  rig.clears("a"); // told once more, late
  rig.comes("a", ours(10, "2"));
  assert.deepEqual(rig.here(), ["a=2"]);
  rig.clears("a");
  assert.deepEqual(rig.here(), []);
});

test("what keeps the hub's from being followed is told until it is over: when the hub has no stream yet as well", () => {
  using rig = open();
  rig.follow("t1", 0, {});
  rig.relink();
  rig.answers({ error: { code: 503, description: "JetStream not enabled for account" } });
  assert.equal(rig.trouble(), "JetStream not enabled for account");
  rig.answers({ error: { code: 404, description: "stream not found" } });
  assert.equal(rig.trouble(), null);
  rig.answers({ error: { code: 400, description: "no" } });
  rig.answers({ name: "c", num_pending: 0 });
  assert.equal(rig.trouble(), null);
});

test("where nothing goes up, what was retained here since the stream showed an earlier one stays", () => {
  using rig = open({ goUp: false });
  rig.retain("a", "1");
  rig.follow("t1", 9, { a: ours(5, "1") }); // from when it did go up
  rig.retain("a", "2");
  rig.relink();
  rig.follow("t1", 9, {});
  assert.deepEqual(rig.here(), ["a=2"]);
});
