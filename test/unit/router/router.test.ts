import assert from "node:assert/strict";
import { test } from "node:test";
import { systemEntropy } from "#base/entropy.ts";
import { type Batch, GROUPS, GROUPS_END, PAYLOAD, SUBJECT, subjectOf } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
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

test("routes remembered are bounded by the receivers in them, and a message reaches all of them all the same", () => {
  const account = router();
  let delivered = 0;
  const subscribe = (filter: string) => {
    const sink = { deliver: () => void (delivered += 1), flush: () => undefined };
    account.subscribe({ filter, queue: null, sink, mayReceive: () => true });
  };
  for (let i = 0; i < 600; i++) subscribe("cmd.>");
  const door = account.open(new RecordingOrigin());
  let receiversMax = 0;
  for (let i = 0; i < 300; i++) {
    door.publish(batchOf(message(`cmd.${i}`)));
    receiversMax = Math.max(receiversMax, account.status().receivers);
  }
  assert.ok(receiversMax > 100_000 && receiversMax <= 131_072, `${receiversMax} receivers`);
  assert.equal(delivered, 600 * 300);
  subscribe("cmd.299"); // a literal one forgets one route
  const before = account.status();
  door.publish(batchOf(message("cmd.299")));
  assert.equal(account.status().receivers, before.receivers + 601);
});
