import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createLog } from "#base/log.ts";
import { AddressBook } from "#uplink/address-book.ts";
import { FakeClock, turn } from "../../support/fake-clock.ts";
import { FakeDisk } from "../../support/fake-disk.ts";

const DIRECTORY = "/data/outbox/main";
const FILE = `${DIRECTORY}/addresses.json`;
const DAY_MS = 24 * 3_600_000;

function world() {
  const clock = new FakeClock();
  const disk = new FakeDisk();
  const said: string[] = [];
  const log = createLog(clock, "debug", ({ level, message }) => said.push(`${level} ${message}`));
  return { clock, disk, said, open: () => AddressBook.open(DIRECTORY, { clock, disk: disk.mount(), log }) };
}

const addressesOf = (book: AddressBook, host: string) => book.known(host).map(({ address }) => address);

test("the last good address comes first, and all are there after a power cut once written", async () => {
  const { clock, disk, open } = world();
  {
    await using book = await open();
    book.remember("hub1", "192.0.2.1");
    book.remember("hub1", "2001:db8::1");
    assert.deepEqual(book.known("hub1"), [
      { address: "2001:db8::1", family: 6, goodAt: clock.wall() },
      { address: "192.0.2.1", family: 4, goodAt: clock.wall() },
    ]);
    assert.deepEqual(book.known("hub2"), []);
  }
  disk.powerCut();
  await using again = await open();
  assert.deepEqual(addressesOf(again, "hub1"), ["2001:db8::1", "192.0.2.1"]);
  assert.equal(clock.pending, 0);
});

test("an address is no name: what is dialed by address is not remembered, nor what is no address", async () => {
  const { disk, open } = world();
  {
    await using book = await open();
    book.remember("192.0.2.1", "192.0.2.1");
    book.remember("hub1", "not an address");
    book.remember("h".repeat(300), "192.0.2.1");
  }
  assert.deepEqual(disk.files("/"), []);
});

test("the first change is written at once, later ones every ten minutes, the same again not before a day", async () => {
  const { clock, disk, open } = world();
  await using book = await open();
  const written = () =>
    JSON.stringify(JSON.parse(disk.peek(FILE).toString()).hosts["hub1"].map((each: { address: string }) => each.address));
  book.remember("hub1", "192.0.2.1");
  for (let i = 0; i < 40; i++) await turn();
  assert.equal(written(), '["192.0.2.1"]');
  const { datasyncs } = disk.counters;
  for (let i = 0; i < 50; i++) book.remember("hub1", `192.0.2.${(i % 2) + 1}`); // a link that comes and goes
  await clock.pass(599_000);
  assert.equal(disk.counters.datasyncs, datasyncs);
  await clock.pass(2_000);
  for (let i = 0; i < 40; i++) await turn();
  assert.equal(written(), '["192.0.2.2","192.0.2.1"]');
  const calls = disk.counters.calls;
  await clock.pass(DAY_MS / 2);
  book.remember("hub1", "192.0.2.2");
  await clock.pass(DAY_MS / 4);
  assert.equal(disk.counters.calls, calls);
  await clock.pass(DAY_MS / 2);
  book.remember("hub1", "192.0.2.2");
  for (let i = 0; i < 40; i++) await turn();
  assert.ok(disk.counters.calls > calls);
  assert.equal(book.known("hub1")[0]!.goodAt, clock.wall());
});

test("it stays small: 64 hosts, 8 addresses each, those used last", async () => {
  const { disk, open } = world();
  {
    await using book = await open();
    for (let host = 0; host < 200; host++) for (let i = 1; i <= 20; i++) book.remember(`hub${host}`, `192.0.2.${i}`);
    assert.deepEqual(book.known("hub135"), []);
    assert.equal(book.known("hub136").length, 8);
  }
  assert.equal(Object.keys(JSON.parse(disk.peek(FILE).toString()).hosts).length, 64);
  await using again = await open();
  assert.deepEqual(addressesOf(again, "hub199"), [
    "192.0.2.20",
    "192.0.2.19",
    "192.0.2.18",
    "192.0.2.17",
    "192.0.2.16",
    "192.0.2.15",
    "192.0.2.14",
    "192.0.2.13",
  ]);
});

test("a damaged file is told and passed over, and replaced by the next good address", async () => {
  for (const bytes of [
    "",
    "{",
    "[]",
    "null",
    '{"version":2,"hosts":{}}',
    '{"version":1,"hosts":[]}',
    `"${"x".repeat(200_000)}"`,
    "\u0000\u0000",
  ]) {
    const { disk, said, open } = world();
    disk.plant(FILE, Buffer.from(bytes));
    {
      await using book = await open();
      assert.match(said.join("|"), /^warn \/data\/outbox\/main\/addresses\.json is damaged/, bytes.slice(0, 40));
      book.remember("hub1", "192.0.2.1");
    }
    await using again = await open();
    assert.deepEqual(addressesOf(again, "hub1"), ["192.0.2.1"]);
  }
});

test("entries that make no sense are dropped one by one", async () => {
  const { disk, said, open } = world();
  const good = { address: "192.0.2.1", good_at: 5 };
  const bad = [null, 7, {}, { address: "hub", good_at: 5 }, { address: "192.0.2.2" }, { address: "192.0.2.2", good_at: "5" }];
  disk.plant(
    FILE,
    Buffer.from(JSON.stringify({ version: 1, hosts: { hub1: [...bad, good], hub2: bad, hub3: "x", ["h".repeat(300)]: [good] } })),
  );
  await using book = await open();
  assert.deepEqual([addressesOf(book, "hub1"), addressesOf(book, "hub2"), addressesOf(book, "hub3")], [["192.0.2.1"], [], []]);
  assert.deepEqual(addressesOf(book, "h".repeat(300)), []);
  assert.deepEqual(said, []);
});

test("no content of the file stops a start", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.json(),
        fc.jsonValue().map((hosts) => JSON.stringify({ version: 1, hosts })),
        fc.string(),
      ),
      async (text) => {
        const { disk, open } = world();
        disk.plant(FILE, Buffer.from(text));
        await using book = await open();
        assert.ok(book.known("hub1").length <= 8);
      },
    ),
  );
});

test("a disk that cannot be read or written is told once, and the book works on in memory", async () => {
  const { clock, disk, said, open } = world();
  disk.plant(FILE, Buffer.from('{"version":1,"hosts":{}}'));
  disk.faults.isUnreadable = () => true;
  await using book = await open();
  disk.faults.isReadOnly = true;
  book.remember("hub1", "192.0.2.1");
  for (let i = 0; i < 40; i++) await turn();
  await clock.pass(3 * 600_000);
  assert.deepEqual(
    said.map((line) => line.replace(/:.*/, "")),
    [`warn ${FILE} cannot be read or written, the disk itself fails`, `warn cannot write ${FILE}`],
  );
  assert.deepEqual(addressesOf(book, "hub1"), ["192.0.2.1"]);
  disk.faults.isReadOnly = false;
  disk.faults.isUnreadable = undefined;
  await clock.pass(600_000);
  for (let i = 0; i < 40; i++) await turn();
  assert.match(disk.peek(FILE).toString(), /192\.0\.2\.1/);
});

test("closing twice is one closing", async () => {
  const { clock, open } = world();
  const book = await open();
  book.remember("hub1", "192.0.2.1");
  book.remember("hub1", "192.0.2.2");
  await Promise.all([book[Symbol.asyncDispose](), book[Symbol.asyncDispose]()]);
  book.remember("hub1", "192.0.2.3");
  assert.deepEqual(addressesOf(book, "hub1"), ["192.0.2.2", "192.0.2.1"]);
  assert.equal(clock.pending, 0);
});
