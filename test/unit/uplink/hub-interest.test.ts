import assert from "node:assert/strict";
import { test } from "node:test";
import { ensureDirectory } from "#base/disk.ts";
import { silentLog } from "#base/log.ts";
import { HubInterest } from "#uplink/hub-interest.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeDisk } from "../../support/fake-disk.ts";

const DIRECTORY = "/data/outbox/EDGE";

class World {
  readonly clock = new FakeClock();
  readonly disk = new FakeDisk({ seed: 1 });
  forgotten = 0;

  async open(): Promise<HubInterest> {
    await ensureDirectory(this.disk, DIRECTORY);
    return await HubInterest.open(DIRECTORY, { clock: this.clock, disk: this.disk, log: silentLog() }, () => {
      this.forgotten += 1;
    });
  }
}

test("before any link nothing is known; with one, the hub's word counts", async () => {
  const world = new World();
  await using interest = await world.open();
  assert.equal(interest.listening("a", []), "unknown");
  interest.add("a", null);
  interest.complete();
  assert.deepEqual([interest.listening("a", []), interest.listening("b", [])], ["now", "never"]);
});

test("a queue group that is served here is no interest of the hub's", async () => {
  const world = new World();
  await using interest = await world.open();
  interest.add("jobs.*", "g1");
  interest.add("jobs.*", "g2");
  interest.complete();
  assert.deepEqual(interest.groups("jobs.a", []), ["g1", "g2"]);
  assert.deepEqual([interest.groups("jobs.a", ["g1"]), interest.listening("jobs.a", ["g1"])], [["g2"], "now"]);
  assert.equal(interest.listening("jobs.a", ["g1", "g2"]), "never");
});

test("interest that vanishes is waited for a minute of ready link, then forgotten, and told so", async () => {
  const world = new World();
  await using interest = await world.open();
  interest.add("orders", null);
  interest.complete();
  interest.remove("orders", null);
  assert.equal(interest.listening("orders", []), "before");
  world.clock.advance(59_000);
  assert.equal(interest.listening("orders", []), "before");
  world.clock.advance(61_000);
  assert.deepEqual([interest.listening("orders", []), world.forgotten], ["never", 1]);
});

test("an outage of any length forgets nothing: the minute runs only while a link is ready", async () => {
  const world = new World();
  await using interest = await world.open();
  interest.add("orders", null);
  interest.complete();
  interest.clear();
  world.clock.advance(30 * 86_400_000);
  assert.equal(interest.listening("orders", []), "before");
  interest.complete(); // a link, and the stream behind it is not up yet
  world.clock.advance(30_000);
  assert.equal(interest.listening("orders", []), "before");
  interest.add("orders", null);
  world.clock.advance(120_000);
  assert.deepEqual([interest.listening("orders", []), world.forgotten], ["now", 0]);
});

test("what the hub wanted survives a power cut, half a minute after it said so", async () => {
  const world = new World();
  const first = await world.open();
  first.add("sensors.>", null);
  first.add("_INBOX.x", null);
  first.complete();
  await world.clock.pass(30_000);
  await world.clock.pass(0);
  world.disk.powerCut();
  await using second = await world.open();
  assert.deepEqual(
    [second.listening("sensors.a", []), second.listening("_INBOX.x", []), second.listening("other", [])],
    ["before", "never", "never"],
  );
  await first[Symbol.asyncDispose]();
});

test("the same interest after each reconnect costs the card nothing", async () => {
  const world = new World();
  await using interest = await world.open();
  const connect = async () => {
    interest.add("sensors.>", null);
    interest.complete();
    await world.clock.pass(31_000);
  };
  await connect();
  const { writtenBytes } = world.disk.counters;
  for (let i = 0; i < 10; i++) {
    interest.clear();
    await connect();
  }
  assert.equal(world.disk.counters.writtenBytes, writtenBytes);
});

test("a hub that listens to more than we can remember is taken to want everything", async () => {
  const world = new World();
  await using interest = await world.open();
  for (let i = 0; i < 200_001; i++) interest.add(`s.${i}`, null);
  interest.complete();
  assert.equal(interest.listening("nobody.named.this", []), "now");
  assert.equal(interest.size, 200_000);
  interest.clear();
  assert.equal(interest.listening("nobody.named.this", []), "before", "more than is remembered: held, not dropped");
});

for (const [name, bytes] of [
  ["is empty", ""],
  ["is cut short", '[["sensors.>",nul'],
  ["is something else", '{"a":1}'],
  ["holds a filter that is none", '[["a..b",null]]'],
] as const) {
  test(`a file that ${name} means that nothing is known: everything is kept`, async () => {
    const world = new World();
    world.disk.plant(`${DIRECTORY}/hub-interest.json`, Buffer.from(bytes));
    await using interest = await world.open();
    assert.equal(interest.listening("sensors.a", []), "unknown");
  });
}
