import assert from "node:assert/strict";
import { test } from "node:test";
import { ensureDirectory } from "#base/disk.ts";
import { createLog } from "#base/log.ts";
import { HubInterest } from "#uplink/hub-interest.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeDisk } from "../../support/fake-disk.ts";

const DIRECTORY = "/data/outbox/EDGE";

class World {
  readonly clock = new FakeClock();
  readonly disk = new FakeDisk({ seed: 1 });
  readonly warnings: string[] = [];
  forgotten = 0;

  async open(): Promise<HubInterest> {
    await ensureDirectory(this.disk, DIRECTORY);
    const log = createLog(this.clock, "warn", ({ message }) => this.warnings.push(message));
    return await HubInterest.open(DIRECTORY, { clock: this.clock, disk: this.disk, log }, () => {
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

for (const [name, hinder, words] of [
  [
    "is a folder",
    (disk) => disk.makeDirectory(`${DIRECTORY}/hub-interest.json`),
    /EDGE\/hub-interest\.json is a folder where a file is wanted; everything is kept.*To mend: move it away/,
  ],
  [
    "lies on a bad spot of the disk",
    async (disk) => {
      disk.plant(`${DIRECTORY}/hub-interest.json`, Buffer.from('[["sensors.>",null]]'));
      disk.faults.isUnreadable = () => true;
    },
    /EDGE\/hub-interest\.json cannot be read or written, the disk itself fails; everything is kept/,
  ],
] as const satisfies readonly (readonly [string, (disk: FakeDisk) => Promise<void>, RegExp])[]) {
  test(`a file that ${name} stops no start: it is told with its path, and everything is kept`, async () => {
    const world = new World();
    await ensureDirectory(world.disk, DIRECTORY);
    await hinder(world.disk);
    await using interest = await world.open();
    assert.equal(interest.listening("sensors.a", []), "unknown");
    assert.match(world.warnings.join("\n"), words);
    interest.add("sensors.>", null);
    interest.complete();
    assert.equal(interest.listening("sensors.a", []), "now", "and the link works as ever");
  });
}

test("with JetStream at the hub, buckets and acks are wanted although nothing announces them; without it they are not", async () => {
  const world = new World();
  await using interest = await world.open();
  interest.add("orders.>", null);
  interest.complete();
  const subjects = ["$KV.settings.a", "$JS.ACK.ORD.p.1.1.1.17.0", "$JS.FC.ORD.p.x"];
  for (const subject of subjects) assert.equal(interest.listening(subject, []), "never", subject);
  for (const api of ["$JS.API.>", "$JS.hub.API.STREAM.>"]) {
    assert.equal(interest.add(api, null), true);
    assert.equal(interest.hasJetStream, true);
    for (const subject of subjects) assert.equal(interest.listening(subject, []), "now", subject);
    assert.equal(interest.listening("$OTHER.a", []), "never");
    interest.remove(api, null);
    assert.equal(interest.hasJetStream, false);
  }
  interest.add("$JS.API.>", null);
  interest.clear();
  assert.equal(interest.hasJetStream, false, "the link is gone");
});

test("replies through imports and gateways are wanted by any hub that is there", async () => {
  const world = new World();
  await using interest = await world.open();
  assert.notEqual(interest.listening("_R_.a.b", []), "now");
  interest.complete();
  for (const reply of ["_R_.a.b", "_GR_.a.b._INBOX.c"]) assert.equal(interest.listening(reply, []), "now", reply);
  interest.clear();
  assert.notEqual(interest.listening("_R_.a.b", []), "now");
});

test("a direct get names the group that answers it, which no hub announces", async () => {
  const world = new World();
  await using interest = await world.open();
  interest.add("$JS.API.>", null);
  interest.complete();
  assert.deepEqual(interest.groups("$JS.API.DIRECT.GET.KV_b.$KV.b.k", []), ["_sys_"]);
  assert.deepEqual(interest.groups("$JS.API.STREAM.INFO.ORD", []), []);
});

test("the servers' own interest is none of ours", async () => {
  const world = new World();
  await using interest = await world.open();
  for (const filter of ["$SYS.REQ.USER.INFO", "$LDS.other"]) assert.equal(interest.add(filter, null), false, filter);
  assert.equal(interest.size, 0);
  interest.complete();
  assert.equal(interest.listening("$SYS.REQ.USER.INFO", []), "never");
});
