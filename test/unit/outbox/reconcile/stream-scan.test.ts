import assert from "node:assert/strict";
import { test } from "node:test";
import { JetStreamApi } from "#outbox/reconcile/reconcile-api.ts";
import { type ScanTask, scanStream } from "#outbox/reconcile/stream-scan.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { ScriptedHub } from "../../../support/scripted-jetstream.ts";

function opened(messages: number) {
  const clock = new FakeClock();
  const hub = new ScriptedHub(clock);
  const stream = hub.stream("S", ["a"]);
  for (let i = 1; i <= messages; i++) stream.hold("a", `dev-1-state-${i}`);
  const seen: string[] = [];
  const task = {
    stream: "S",
    consumer: "c",
    filters: ["a"],
    since: 0,
    now: clock.wall(),
    allowance: { left: 10_000 },
    prefers: "oldest" as ScanTask["prefers"],
  };
  const scan = (more: Partial<typeof task> = {}) =>
    scanStream(
      new JetStreamApi(hub, clock, { deadline: clock.now() + 10_000, isKnown: true }),
      { ...task, ...more },
      (headers) => void seen.push(headers),
    );
  const batches = () => hub.bodies.flatMap((body) => ("batch" in body ? [body["batch"]] : []));
  return { clock, hub, seen, scan, batches };
}

test("an empty stream takes two requests", async () => {
  const it = opened(0);
  assert.deepEqual(await it.scan(), { scanned: 0, trouble: "" });
  assert.deepEqual(it.hub.asked, ["CONSUMER.CREATE.S.c", "CONSUMER.DELETE.S.c"]);
});

test("a quick line is asked for more and more, and only for what there is", async () => {
  const it = opened(3000);
  assert.deepEqual(await it.scan(), { scanned: 3000, trouble: "" });
  assert.deepEqual(it.batches(), [64, 128, 256, 512, 1024, 1016]);
  assert.equal(it.seen[2999], "NATS/1.0\r\nNats-Msg-Id: dev-1-state-3000\r\nNats-Msg-Size: 2\r\n\r\n");
});

test("a slow line is asked for little at a time", async () => {
  const it = opened(200);
  it.hub.fault = (what) => {
    if (what.startsWith("CONSUMER.MSG.NEXT")) it.clock.advance(1_500);
    return undefined;
  };
  assert.deepEqual(await it.scan(), { scanned: 200, trouble: "" });
  assert.deepEqual(it.batches(), [64, 64, 64, 8]);
});

test("messages that vanish meanwhile end it", async () => {
  const it = opened(100);
  it.hub.fault = (what) => {
    if (what.startsWith("CONSUMER.MSG.NEXT")) it.hub.purge(50);
    return undefined;
  };
  assert.deepEqual(await it.scan(), { scanned: 50, trouble: "" });
  assert.deepEqual(it.batches(), [64]);
});

test("the consumer is removed after a batch that failed, too", async () => {
  const it = opened(100);
  it.hub.fault = (what) => (what.startsWith("CONSUMER.MSG.NEXT") ? "unheard" : undefined);
  const { scanned, trouble } = await it.scan();
  assert.deepEqual([scanned, it.hub.consumers], [0, 0]);
  assert.match(trouble, /no JetStream/);
});

test("more than may be looked at is said, and the oldest are looked at", async () => {
  const it = opened(100);
  const { scanned, trouble } = await it.scan({ allowance: { left: 70 } });
  assert.equal(scanned, 70);
  assert.match(trouble, /holds 100 messages/);
  assert.match(it.seen.at(-1)!, /dev-1-state-70\r/);
});

test("of more than may be looked at the newest are found by halving, wherever they lie", async () => {
  for (const pause of [1, 1_000, 100_000]) {
    const it = opened(0);
    const stream = it.hub.stream("S", ["a"]);
    for (let i = 1; i <= 1_000; i++) {
      stream.hold("a", `dev-1-state-${i}`);
      it.clock.advance(i < 500 ? 7_000 : pause);
    }
    const now = it.clock.wall();
    const { scanned, trouble } = await it.scan({ allowance: { left: 100 }, prefers: "newest", since: now - 86_400_000, now });
    assert.ok(scanned >= 50 && scanned <= 100, `${scanned} at ${pause} ms`);
    assert.match(it.seen.at(-1)!, /dev-1-state-1000\r/);
    assert.match(trouble, /holds 1000 messages .*newest first/);
    assert.equal(it.hub.consumers, 0);
  }
});

test("a whole stream is asked for without filters, headers only, and leaves nothing behind by itself", async () => {
  const it = opened(1);
  await it.scan({ filters: [] });
  const { config } = it.hub.bodies[0] as { config: Record<string, unknown> };
  assert.deepEqual(config, {
    name: "c",
    ack_policy: "none",
    deliver_policy: "by_start_time",
    opt_start_time: "1970-01-01T00:00:00.000Z",
    headers_only: true,
    mem_storage: true,
    num_replicas: 1,
    inactive_threshold: 30e9,
  });
});
