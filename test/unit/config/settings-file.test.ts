import assert from "node:assert/strict";
import { test } from "node:test";
import { SETTINGS_BYTES_MAX, SettingsFile, type Version } from "#config/settings-file.ts";
import { type FakeDisk, fakeDisk } from "../../support/fake-disk.ts";

const FILE = "/data/settings.json";

const open = (disk: FakeDisk) => new SettingsFile(disk.mount(), FILE);
const nameOf = (version: Version | undefined) => (version?.state === "whole" ? version.document["server_name"] : version?.state);
const names = async (disk: FakeDisk) => (await open(disk).copies()).map(nameOf);

async function savedTimes(count: number): Promise<FakeDisk> {
  const disk = fakeDisk();
  disk.plant("/data/other", Buffer.from("x"));
  const file = open(disk);
  for (let i = 1; i <= count; i++) await file.write({ server_name: `v${i}` });
  return disk;
}

test("what is written is read again, and what was there before is kept in order", async () => {
  const disk = await savedTimes(5);
  assert.equal(nameOf(await open(disk).current()), "v5");
  assert.deepEqual(await names(disk), ["v5", "v4", "v3"]);
  assert.deepEqual(disk.files("/data"), ["/data/other", FILE, `${FILE}.1`, `${FILE}.2`, `${FILE}.last`, `${FILE}.sums`]);
});

test("saving the same again writes nothing", async () => {
  const disk = await savedTimes(2);
  const before = disk.counters.writes;
  await open(disk).write({ server_name: "v2" });
  assert.equal(disk.counters.writes, before);
});

test("a power cut at every step of a save leaves the old settings or the new, whole, and the copies sound", async () => {
  let fates = { old: 0, new: 0 };
  for (let calls = 1; ; calls++) {
    let finished = false;
    for (let seed = 1; seed <= 8; seed++) {
      const disk = fakeDisk({ seed: seed * 100 + calls });
      disk.plant("/data/other", Buffer.from("x"));
      for (let i = 1; i <= 3; i++) await open(disk).write({ server_name: `v${i}` });
      disk.strikeAfter(calls);
      finished = await open(disk)
        .write({ server_name: "v4" })
        .then(
          () => true,
          () => false,
        );
      disk.powerCut();
      const name = nameOf(await open(disk).current());
      if (finished) assert.equal(name, "v4", "an acknowledged save stays");
      assert.ok(name === "v3" || name === "v4", `call ${calls}, seed ${seed}: ${name}`);
      fates = { old: fates.old + Number(name === "v3"), new: fates.new + Number(name === "v4") };
      const copies = await open(disk).copies();
      assert.ok(copies.length >= 2 && copies.every((copy) => copy.state === "whole"), `call ${calls}, seed ${seed}`);
      const [best] = copies;
      assert.ok(best?.state === "whole" && best.isListed);
      await open(disk).write({ server_name: "v5" });
      assert.equal((await names(disk))[0], "v5");
    }
    if (finished) break;
  }
  assert.ok(fates.old > 20 && fates.new > 20, JSON.stringify(fates));
});

test("a broken file says where, and is left as it is", async () => {
  const disk = await savedTimes(2);
  disk.plant(FILE, Buffer.from('{\n  "mqtt": {}\n  "serial": []\n}'));
  const version = await open(disk).current();
  assert.ok(version.state === "broken");
  assert.match(version.reason, /^line 3, column 3: wants a ","/);
  assert.deepEqual(await open(disk).read(), { server_name: "v2" });
});

test("a broken file is set aside before something is written in its place", async () => {
  const disk = await savedTimes(2);
  disk.plant(FILE, Buffer.from("{ my edits"));
  await open(disk).write({ server_name: "v3" });
  assert.equal(disk.peek(`${FILE}.broken`).toString(), "{ my edits");
  assert.deepEqual(await names(disk), ["v3", "v2", "v1"]);
});

test("empty, zero-filled, too long, not UTF-8, not an object: all broken, none throws", async () => {
  const contents = [
    Buffer.alloc(0),
    Buffer.from("  \n"),
    Buffer.alloc(100),
    Buffer.from([0xff, 0xfe, 0x7b]),
    Buffer.from("[]"),
    Buffer.alloc(SETTINGS_BYTES_MAX + 1, " "),
  ];
  for (const content of contents) {
    const disk = await savedTimes(1);
    disk.plant(FILE, content);
    const version = await open(disk).current();
    assert.equal(version.state, "broken");
    assert.deepEqual(await open(disk).read(), { server_name: "v1" });
  }
});

test("a byte order mark is no fault", async () => {
  const disk = await savedTimes(1);
  disk.plant(FILE, Buffer.from('\ufeff{"server_name":"bom"}'));
  assert.equal(nameOf(await open(disk).current()), "bom");
});

test("a copy that rotted and still parses comes after those whose checksum holds", async () => {
  const disk = await savedTimes(3);
  disk.rot(`${FILE}.last`, disk.peek(`${FILE}.last`).indexOf("v3"), 1);
  assert.deepEqual(await names(disk), ["v2", "v1", "w3"]);
});

test("a lost list of checksums costs the order's proof, not the copies", async () => {
  const disk = await savedTimes(3);
  await disk.remove(`${FILE}.sums`);
  assert.deepEqual(await names(disk), ["v3", "v2", "v1"]);
});

test("a file that cannot be read is broken, not an end", async () => {
  const disk = await savedTimes(2);
  disk.faults.isUnreadable = (path) => path === FILE;
  const version = await open(disk).current();
  assert.ok(version.state === "broken");
  assert.match(version.reason, /cannot be read or written, the disk itself fails \(EIO/);
  assert.match(version.remedy ?? "", /check the card/);
  assert.deepEqual(await open(disk).read(), { server_name: "v2" });
});

test("a save that fails says so, and the next one works", async () => {
  const disk = await savedTimes(2);
  const file = open(disk);
  disk.faults.failDatasyncIn = 1;
  await assert.rejects(file.write({ server_name: "v3" }), /EIO/);
  await file.write({ server_name: "v4" });
  assert.deepEqual([nameOf(await file.current()), (await names(disk))[0]], ["v4", "v4"]);
});

test("saves asked for at the same time run one after the other", async () => {
  const disk = await savedTimes(1);
  const file = open(disk);
  await Promise.all(["a", "b", "c"].map((name) => file.write({ server_name: name })));
  assert.deepEqual([nameOf(await file.current()), ...(await names(disk))], ["c", "c", "b", "a"]);
});
