import assert from "node:assert/strict";
import { test } from "node:test";
import { systemEntropy } from "#base/entropy.ts";
import { type Batch, GROUPS, GROUPS_END, PAYLOAD, ROUTED, ROUTED_END, replyOf, SUBJECT, subjectOf } from "#core/batch.ts";
import { BatchBuilder, type MessageParts } from "#core/batch-builder.ts";
import { AccountRouter } from "#router/router.ts";
import { batchOf, message, RecordingOrigin, RecordingSink, RecordingUpstream } from "../../support/router-fixtures.ts";

function router(): AccountRouter {
  return new AccountRouter("EDGE", systemEntropy());
}

test("a message reaches every sink whose filter matches, once, with all its matching subscriptions", () => {
  const account = router();
  const [wide, narrow, other] = [new RecordingSink(), new RecordingSink(), new RecordingSink()];
  account.subscribe(wide.subscription("a.>"));
  account.subscribe(wide.subscription("a.*"));
  account.subscribe(narrow.subscription("a.b"));
  account.subscribe(other.subscription("b.>"));
  account.open(new RecordingOrigin()).publish(batchOf(message("a.b", "1"), message("a.b.c", "2")));
  assert.deepEqual(wide.delivered, ["a.b=1", "a.b.c=2"]);
  assert.deepEqual(wide.subscriptionCounts, [2, 1]);
  assert.deepEqual(narrow.delivered, ["a.b=1"]);
  assert.deepEqual(other.delivered, []);
  assert.deepEqual([wide.flushes, narrow.flushes, other.flushes], [1, 1, 0], "one flush per touched sink and batch");
});

test("routes follow subscribe and unsubscribe at once", () => {
  const account = router();
  const door = account.open(new RecordingOrigin());
  const sink = new RecordingSink();
  const exact = sink.subscription("a.b");
  const wide = sink.subscription("*.b");
  door.publish(batchOf(message("a.b", "nobody")));
  account.subscribe(exact);
  door.publish(batchOf(message("a.b", "exact")));
  account.unsubscribe(exact);
  account.subscribe(wide);
  door.publish(batchOf(message("a.b", "wide")));
  account.unsubscribe(wide);
  door.publish(batchOf(message("a.b", "nobody again")));
  assert.deepEqual(sink.delivered, ["a.b=exact", "a.b=wide"]);
});

test("one member of each queue group gets a message, and each gets some", () => {
  const account = router();
  const members = [new RecordingSink(), new RecordingSink()];
  for (const member of members) account.subscribe(member.subscription("jobs", "workers"));
  const door = account.open(new RecordingOrigin());
  for (let i = 0; i < 200; i++) door.publish(batchOf(message("jobs", String(i))));
  assert.equal(members[0]!.delivered.length + members[1]!.delivered.length, 200);
  for (const member of members) assert.ok(member.delivered.length > 20, `${member.delivered.length} of 200`);
});

test("a message from the hub goes to plain subscriptions and to the named groups only", () => {
  const account = router();
  const [plain, named, unnamed] = [new RecordingSink(), new RecordingSink(), new RecordingSink()];
  account.subscribe(plain.subscription("m.>"));
  account.subscribe(named.subscription("m.a", "g1"));
  account.subscribe(unnamed.subscription("m.a", "g2"));
  const bytes = Buffer.from("m.a g1 g9 x");
  const batch = new BatchBuilder();
  batch.begin(bytes);
  const at = batch.place(0, 3, 10, 11, 0);
  batch.spans[at + GROUPS] = 4;
  batch.spans[at + GROUPS_END] = 9;
  assert.deepEqual([batch.spans[SUBJECT], batch.spans[PAYLOAD]], [0, 10]);
  account.open(new RecordingOrigin("hub")).publish(batch);
  assert.deepEqual([plain.delivered, named.delivered, unnamed.delivered], [["m.a=x"], ["m.a=x"], []]);
});

test("what comes from a hub never goes to an upstream", () => {
  const account = router();
  const upstream = new RecordingUpstream();
  account.addUpstream(upstream);
  account.open(new RecordingOrigin("hub")).publish(batchOf(message("a", "1")));
  assert.deepEqual(upstream.taken, []);
});

test("an upstream hears which queue groups are served here", () => {
  const account = router();
  account.subscribe(new RecordingSink().subscription("jobs", "workers"));
  const upstream = new RecordingUpstream();
  account.addUpstream(upstream);
  account.open(new RecordingOrigin()).publish(batchOf(message("jobs")));
  assert.deepEqual(upstream.served, [["workers"]]);
});

test("a ticket is told safe only after the upstream says so, and 0 means nothing to wait for", () => {
  const account = router();
  const upstream = new RecordingUpstream();
  const slot = account.addUpstream(upstream);
  const origin = new RecordingOrigin();
  const door = account.open(origin);
  const first = door.publish(batchOf(message("a"), message("b")));
  upstream.stages = false;
  assert.equal(door.publish(batchOf(message("c"))), 0);
  assert.ok(first > 0);
  assert.deepEqual(origin.safe, []);
  slot.onSafe(first);
  assert.deepEqual(origin.safe, [first]);
});

test("an origin hears of each message for which there was no room, and waits for the others only", () => {
  const account = router();
  const [full, roomy] = [new RecordingUpstream(), new RecordingUpstream()];
  account.addUpstream(full);
  const slot = account.addUpstream(roomy);
  full.noRoom = "refused";
  const turnedAway: [number, string][] = [];
  const origin = Object.assign(new RecordingOrigin(), {
    onNoRoom: (_batch: Batch, index: number, taken: string) => turnedAway.push([index, taken]),
  });
  const ticket = account.open(origin).publish(batchOf(message("a"), message("b")));
  assert.deepEqual(turnedAway, [
    [0, "refused"],
    [1, "refused"],
  ]);
  slot.onSafe(ticket);
  assert.deepEqual(origin.safe, [ticket]);
  roomy.noRoom = "dropped";
  const dropped = account.open(origin).publish(batchOf(message("a")));
  assert.deepEqual(turnedAway.slice(2), [
    [0, "refused"],
    [0, "dropped"],
  ]);
  slot.onSafe(dropped);
  assert.deepEqual(origin.safe, [ticket, dropped], "what is dropped waits until that is written down");
  roomy.noRoom = "refused";
  assert.equal(account.open(new RecordingOrigin()).publish(batchOf(message("a"))), 0, "nothing to wait for, nobody to be told");
});

test("with two upstreams a ticket is safe when both are, whatever order they answer in", () => {
  const account = router();
  const slots = [account.addUpstream(new RecordingUpstream()), account.addUpstream(new RecordingUpstream())];
  const origin = new RecordingOrigin();
  const door = account.open(origin);
  const first = door.publish(batchOf(message("a")));
  const second = door.publish(batchOf(message("a")));
  slots[1]!.onSafe(second);
  assert.ok(
    origin.safe.every((watermark) => watermark < first),
    "one of two is not enough",
  );
  slots[0]!.onSafe(first);
  assert.equal(origin.safe.at(-1), first);
  slots[0]!.onSafe(second);
  assert.equal(origin.safe.at(-1), second);
});

test("an upstream that is taken out holds nobody back any more", () => {
  const account = router();
  const upstream = new RecordingUpstream();
  const slot = account.addUpstream(upstream);
  const origin = new RecordingOrigin();
  const door = account.open(origin);
  const ticket = door.publish(batchOf(message("a")));
  upstream.isFull = true;
  door.publish(batchOf(message("a")));
  slot[Symbol.dispose]();
  assert.ok(origin.safe.at(-1)! >= ticket);
  assert.deepEqual(origin.calls, ["pause", "resume"]);
});

test("a full upstream pauses the origin that fed it, once, and room resumes it", () => {
  const account = router();
  const upstream = new RecordingUpstream();
  const slot = account.addUpstream(upstream);
  const [busy, idle] = [new RecordingOrigin(), new RecordingOrigin()];
  account.open(idle);
  const door = account.open(busy);
  upstream.isFull = true;
  door.publish(batchOf(message("a")));
  door.publish(batchOf(message("a")));
  slot.onRoom();
  assert.deepEqual(busy.calls, ["pause"], "room in name only");
  upstream.isFull = false;
  slot.onRoom();
  assert.deepEqual([busy.calls, idle.calls], [["pause", "resume"], []]);
});

test("a refused publish is told to the origin and goes nowhere", () => {
  const account = router();
  const [sink, upstream] = [new RecordingSink(), new RecordingUpstream()];
  account.subscribe(sink.subscription(">"));
  account.addUpstream(upstream);
  const origin = new RecordingOrigin("mqtt", (subject) => subject.startsWith("mine."));
  account.open(origin).publish(batchOf(message("mine.a"), message("yours.a"), message("mine.b")));
  assert.deepEqual(origin.denied, ["yours.a"]);
  assert.deepEqual(
    [sink.delivered, upstream.taken],
    [
      ["mine.a=", "mine.b="],
      ["mine.a=", "mine.b="],
    ],
  );
});

test("a subscription gets only the subjects it may receive", () => {
  const account = router();
  const sink = new RecordingSink();
  account.subscribe(sink.subscription("a.>", null, (subject) => subject !== "a.secret"));
  account.open(new RecordingOrigin()).publish(batchOf(message("a.secret"), message("a.open")));
  assert.deepEqual(sink.delivered, ["a.open="]);
});

test("plans are made once per subject until somebody says they changed", () => {
  const account = router();
  const upstream = new RecordingUpstream();
  const slot = account.addUpstream(upstream);
  const door = account.open(new RecordingOrigin());
  for (let i = 0; i < 3; i++) door.publish(batchOf(message("a"), message("b")));
  assert.deepEqual(upstream.planned, ["a", "b"]);
  slot.invalidate("a");
  door.publish(batchOf(message("a"), message("b")));
  assert.deepEqual(upstream.planned, ["a", "b", "a"]);
});

test("interest is counted: the first and the last subscription of a subject are told, with members for groups", () => {
  const account = router();
  const sink = new RecordingSink();
  const early = sink.subscription("early");
  account.subscribe(early);
  const heard: string[] = [];
  using _watch = account.watchInterest((filter, queue, members) => heard.push(`${filter} ${queue} ${members}`));
  const [one, two] = [sink.subscription("q", "g"), sink.subscription("q", "g")];
  account.subscribe(one);
  account.subscribe(two);
  account.subscribe(two);
  account.unsubscribe(one);
  account.unsubscribe(two);
  account.unsubscribe(two);
  account.unsubscribe(early);
  assert.deepEqual(heard, ["early null 1", "q g 1", "q g 2", "q g 1", "q g 0", "early null 0"]);
});

test("more subscriptions of a plain subject are not told again: the hub does not count them", () => {
  const account = router();
  const sink = new RecordingSink();
  const heard: string[] = [];
  using _watch = account.watchInterest((filter, queue, members) => heard.push(`${filter} ${queue} ${members}`));
  const [one, two] = [sink.subscription("a"), sink.subscription("a")];
  account.subscribe(one);
  account.subscribe(two);
  assert.deepEqual([...account.localInterest()], [{ filter: "a", queue: null, members: 2 }]);
  account.unsubscribe(one);
  account.unsubscribe(two);
  assert.deepEqual(heard, ["a null 1", "a null 0"]);
  assert.deepEqual([...account.localInterest()], []);
});

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

test("an origin that wants to know hears of each message that reaches nobody: no sink, no outbox, no hub", () => {
  const account = router();
  const unheard: string[] = [];
  const origin = Object.assign(new RecordingOrigin(), {
    onUnheard: (batch: Batch, index: number) => void unheard.push(subjectOf(batch, index)),
  });
  account.subscribe(new RecordingSink().subscription("heard"));
  const upstream = new RecordingUpstream();
  account.addUpstream(upstream);
  const door = account.open(origin);
  door.publish(batchOf(message("kept")));
  upstream.stages = false;
  door.publish(batchOf(message("live")));
  upstream.isHearing = false;
  door.publish(batchOf(message("heard"), message("lost"), message("lost")));
  assert.deepEqual(unheard, ["lost", "lost"]);
});

test("what an origin sends for upstreams only reaches no sink and waits for its ticket like the rest", () => {
  const account = router();
  const sink = new RecordingSink();
  account.subscribe(sink.subscription("a"));
  const upstream = new RecordingUpstream();
  account.addUpstream(upstream);
  const door = account.open(Object.assign(new RecordingOrigin(), { reachesUpstreamsOnly: true }));
  assert.equal(door.publish(batchOf(message("a", "1"))), 1);
  assert.deepEqual(upstream.taken, ["a=1"]);
  assert.deepEqual(sink.delivered, []);
});

test("an onlooker sees what passes and takes no part: no interest, no listener, no ticket", () => {
  const account = router();
  const upstream = new RecordingUpstream();
  upstream.isHearing = false;
  const told: string[] = [];
  using _watch = account.watchInterest((filter) => void told.push(filter));
  const view = new RecordingSink();
  const look = account.lookOn(view.subscription("a.>"));
  const origin = new RecordingOrigin("nats");
  const unheard: string[] = [];
  const door = account.open(
    Object.assign(origin, { onNoResponders: (batch: Batch, i: number) => void unheard.push(subjectOf(batch, i)) }),
  );
  door.publish(batchOf(message("a.b", "1"), message("b", "2"), { ...message("a.ask"), reply: "_INBOX.1" }));
  assert.deepEqual(view.delivered, ["a.b=1", "a.ask="]);
  assert.deepEqual(unheard, ["a.ask"]);
  assert.deepEqual(told, []);
  assert.deepEqual([...account.localInterest()], []);
  assert.equal(account.status().receivers, 0);
  look[Symbol.dispose]();
  look[Symbol.dispose]();
  door.publish(batchOf(message("a.b", "3")));
  assert.deepEqual(view.delivered, ["a.b=1", "a.ask="]);
});

test("an onlooker sees the hub's messages, and the hub is told all the same that nobody here has heard them", () => {
  const account = router();
  const view = new RecordingSink();
  using _look = account.lookOn(view.subscription(">", null, (subject) => subject !== "secret"));
  const unheard: string[] = [];
  const hub = Object.assign(new RecordingOrigin("hub"), {
    onNoResponders: (batch: Batch, i: number) => void unheard.push(subjectOf(batch, i)),
  });
  const door = account.open(hub);
  door.publish(batchOf({ ...message("ask"), reply: "_INBOX.1" }, message("secret", "x"), message("news", "y")));
  assert.deepEqual(view.delivered, ["ask=", "news=y"]);
  assert.deepEqual(unheard, ["ask"]);
});

test("an onlooker that comes beside a subscriber changes nothing for it, also where an origin is deaf to itself", () => {
  const account = router();
  const view = new RecordingSink();
  const nothing = () => undefined;
  const own = Object.assign(new RecordingSink(), {
    ...{ kind: "nats" as const, label: "own", isDeafToItself: true, mayPublish: () => true },
    ...{ onDenied: nothing, onSafe: nothing, pause: nothing, resume: nothing },
  });
  const other = new RecordingSink();
  account.subscribe(own.subscription("a"));
  account.subscribe(other.subscription("a"));
  const door = account.open(own);
  door.publish(batchOf(message("a", "1")));
  using _look = account.lookOn(view.subscription("*"));
  door.publish(batchOf(message("a", "2")));
  assert.deepEqual(other.delivered, ["a=1", "a=2"]);
  assert.deepEqual(own.delivered, []);
  assert.deepEqual(view.delivered, ["a=2"]);
});
