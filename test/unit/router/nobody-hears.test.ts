// Requests, streams' deliveries and queue groups: who hears a message, who may not, and who is told that nobody did.

import assert from "node:assert/strict";
import { test } from "node:test";
import { systemEntropy } from "#base/entropy.ts";
import { type Batch, GROUPS, GROUPS_END, PAYLOAD, ROUTED, ROUTED_END, replyOf } from "#core/batch.ts";
import { BatchBuilder, type MessageParts } from "#core/batch-builder.ts";
import { AccountRouter } from "#router/router.ts";
import { batchOf, message, RecordingOrigin, RecordingSink, RecordingUpstream } from "../../support/router-fixtures.ts";

function router(): AccountRouter {
  return new AccountRouter("EDGE", systemEntropy());
}

/** An origin that notes the requests nobody heard. */
class Asking extends RecordingOrigin {
  readonly unheard: string[] = [];
  onNoResponders(batch: Batch, index: number): void {
    this.unheard.push(replyOf(batch, index));
  }
}

const request = (subject: string, reply: string) => ({ ...message(subject), reply });

/** A message from the hub for these queue groups. */
function forGroups(parts: MessageParts, groups: string): Batch {
  const batch = new BatchBuilder();
  batch.beginOwn();
  batch.add({ ...parts, payload: Buffer.from(groups) });
  batch.spans[GROUPS] = batch.spans[PAYLOAD]!;
  batch.spans[GROUPS_END] = batch.spans[PAYLOAD]! + groups.length;
  return batch;
}

test("a request that nobody hears is told to its origin; a plain message and one that is heard are not", () => {
  const account = router();
  const upstream = new RecordingUpstream();
  upstream.stages = false;
  upstream.isHearing = false;
  account.addUpstream(upstream);
  account.subscribe(new RecordingSink().subscription("heard"));
  account.subscribe(new RecordingSink().subscription("group", "g"));
  account.subscribe(new RecordingSink().subscription("denied", null, () => false));
  const origin = new Asking("nats");
  const door = account.open(origin);
  door.publish(batchOf(request("heard", "r1"), request("group", "r2"), request("denied", "r3"), request("nobody", "r4")));
  door.publish(batchOf(request("nobody", "r5"), message("nobody")));
  assert.deepEqual(origin.unheard, ["r3", "r4", "r5"]);
  upstream.isHearing = true;
  door.publish(batchOf(request("nobody", "r6")));
  upstream.isHearing = false;
  upstream.stages = true;
  door.publish(batchOf(request("nobody", "r7")));
  assert.deepEqual(origin.unheard, ["r3", "r4", "r5"], "a hub that listens hears, and so does an outbox that keeps");
});

test("an origin that cannot be told is left alone", () => {
  const origin = new RecordingOrigin("mqtt");
  assert.equal(
    router()
      .open(origin)
      .publish(batchOf(request("nobody", "r"))),
    0,
  );
});

test("a hub's request is unheard when nobody asks for it any more, or its queue group has no member who may have it", () => {
  const account = router();
  const hub = new Asking("hub");
  const door = account.open(hub);
  door.publish(batchOf(request("gone", "r1"), message("gone")));
  door.publish(forGroups(request("gone", "r2"), "g1 g2"));
  account.subscribe(new RecordingSink().subscription("svc.>", "g1", (subject) => subject !== "svc.no"));
  door.publish(forGroups(request("svc.a", "r3"), "g1 g2"));
  door.publish(forGroups(request("svc.no", "r4"), "g1"));
  assert.deepEqual(hub.unheard, ["r1", "r2", "r4"]);
});

test("a hub's request that a plain listener may not have is not called unheard: others have heard it, too", () => {
  const account = router();
  account.subscribe(new RecordingSink().subscription(">", null, () => false));
  const hub = new Asking("hub");
  account.open(hub).publish(batchOf(request("svc.a", "r1")));
  assert.deepEqual(hub.unheard, []);
});

test("a stream's delivery that finds nobody is never answered: that would acknowledge it", () => {
  const hub = new Asking("hub");
  router()
    .open(hub)
    .publish(batchOf(request("push.d", "$JS.ACK.ORD.p.1.1.1.17.0")));
  assert.deepEqual(hub.unheard, []);
});

test("a stream's delivery finds its way by the deliver subject and is shown under the stream's; neighbours are told apart by the way", () => {
  const account = router();
  const [pushed, plain] = [new RecordingSink(), new RecordingSink()];
  account.subscribe(pushed.subscription("push.d"));
  account.subscribe(plain.subscription("orders.>"));
  const origin = new RecordingOrigin("hub", (subject) => subject === "push.d" || subject.startsWith("orders"));
  const text = Buffer.from("push.dorders.1hi");
  const batch = new BatchBuilder();
  batch.begin(text);
  const composed = batch.place(6, 14, 14, 16, 0);
  batch.spans[composed + ROUTED] = 0;
  batch.spans[composed + ROUTED_END] = 6;
  batch.place(6, 14, 14, 16, 0);
  account.open(origin).publish(batch);
  assert.deepEqual([pushed.delivered, plain.delivered, origin.denied], [["orders.1=hi"], ["orders.1=hi"], []]);
});

/** Origin and sink in one, as a NATS client is. */
class Deaf extends RecordingSink {
  readonly kind = "nats";
  readonly label = "deaf";
  readonly isDeafToItself = true;
  readonly unheard: string[] = [];
  readonly mayPublish = () => true;
  readonly onDenied = () => undefined;
  readonly onSafe = () => undefined;
  readonly pause = () => undefined;
  readonly resume = () => undefined;

  onNoResponders(batch: Batch, index: number): void {
    this.unheard.push(replyOf(batch, index));
  }
}

test("a queue group's member that publishes without echo is passed over, as long as there is another", () => {
  const account = router();
  const [deaf, other] = [new Deaf(), new RecordingSink()];
  const door = account.open(deaf);
  for (let i = 0; i < 3; i++) account.subscribe(deaf.subscription("jobs", "workers"));
  const theirs = other.subscription("jobs", "workers");
  account.subscribe(theirs);
  for (let i = 0; i < 50; i++) door.publish(batchOf(message("jobs", String(i))));
  assert.deepEqual([deaf.delivered.length, other.delivered.length], [0, 50]);
  account.unsubscribe(theirs);
  door.publish(batchOf(message("jobs", "for nobody")));
  assert.deepEqual([deaf.delivered.length, other.delivered.length], [0, 50]);
});

test("who is deaf to itself does not hear its own request, and is told that nobody does", () => {
  const account = router();
  const deaf = new Deaf();
  const door = account.open(deaf);
  account.subscribe(deaf.subscription("jobs", "workers"));
  account.subscribe(deaf.subscription("plain"));
  door.publish(batchOf({ ...message("jobs"), reply: "r1" }, { ...message("plain"), reply: "r2" }));
  assert.deepEqual(deaf.unheard, ["r1", "r2"]);
  account.subscribe(new RecordingSink().subscription("jobs", "workers"));
  door.publish(batchOf({ ...message("jobs"), reply: "r3" }));
  assert.deepEqual(deaf.unheard, ["r1", "r2"]);
});

test("what a group's only member here publishes without echo goes to the group's members at the hub, and back to it when another comes", () => {
  const account = router();
  const upstream = new RecordingUpstream();
  account.addUpstream(upstream);
  const deaf = new Deaf();
  const door = account.open(deaf);
  const others = account.open(new RecordingOrigin("nats"));
  account.subscribe(deaf.subscription("jobs", "workers"));
  account.subscribe(deaf.subscription("jobs", "auditors"));
  account.subscribe(new RecordingSink().subscription("jobs", "auditors"));
  others.publish(batchOf(message("jobs")));
  assert.deepEqual(upstream.served.at(-1), ["workers", "auditors"]);
  for (let i = 0; i < 3; i++) door.publish(batchOf(message("jobs"), message("jobs")));
  assert.deepEqual(upstream.served.at(-1), ["auditors"], "the hub's workers are asked");
  assert.equal(upstream.served.length, 2, "worked out once for each");
  const other = new RecordingSink();
  account.subscribe(other.subscription("jobs", "workers"));
  door.publish(batchOf(message("jobs", "x")));
  assert.deepEqual(upstream.served.at(-1), ["auditors", "workers"]);
  assert.deepEqual(other.delivered, ["jobs=x"]);
  door.publish(batchOf(message("elsewhere")));
  assert.deepEqual(upstream.served.at(-1), []);
});

test("an answer that may pass once passes once, also among neighbours on one subject", () => {
  const account = router();
  const sink = new RecordingSink();
  account.subscribe(sink.subscription("r"));
  let left = 2;
  const origin = Object.assign(new RecordingOrigin("nats", () => false), { mayRespond: () => left-- > 0 });
  const door = account.open(origin);
  door.publish(batchOf(message("r", "1"), message("r", "2"), message("r", "3")));
  door.publish(batchOf(message("r", "4")));
  assert.deepEqual(sink.delivered, ["r=1", "r=2"]);
  assert.deepEqual(origin.denied, ["r", "r"]);
});

test("among the members of a queue group those whose receiver is there go first; when none is, one of them gets it all the same", () => {
  const account = router();
  const [away, here] = [new RecordingSink(), new RecordingSink()];
  account.subscribe({ ...away.subscription("a", "g"), isReady: false });
  account.subscribe({ ...here.subscription("a", "g"), isReady: true });
  const door = account.open(new RecordingOrigin());
  for (let i = 0; i < 30; i++) door.publish(batchOf(message("a")));
  assert.deepEqual([away.delivered.length, here.delivered.length], [0, 30]);
  const lonely = router();
  lonely.subscribe({ ...away.subscription("a", "g"), isReady: false });
  lonely.open(new RecordingOrigin()).publish(batchOf(message("a")));
  assert.equal(away.delivered.length, 1);
});
