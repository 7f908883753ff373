// What a device knows about the time, through all that calendars do on boards without a battery.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { systemClock } from "#base/clock.ts";
import { ensureDirectory, readWhole, removeIfThere, systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import { openTimeKeeper } from "#base/time-keeper.ts";
import { TimeKeeperFile } from "#base/time-keeper-file.ts";
import { FakeBoard } from "../../support/fake-board.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const SECOND = 1000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;
/** 2026-11-22T08:00:00Z: what the calendar shows when it is right. */
const NOW = 1_795_334_400_000;
const CLOCK_FILE = "/data/clock";

/** The boot in which a seasoned board ran last, from NOW for half a day. */
const FIRST_BOOT = "f0000000-0000-4000-8000-000000000001";

/** A board that has had the right time for months, and is off since NOW + 12 h. */
async function seasonedBoard(seed = 1): Promise<FakeBoard> {
  const board = new FakeBoard(seed);
  await board.boot({ wall: NOW, id: FIRST_BOOT });
  const file = new TimeKeeperFile(board.disk, board.dataDir);
  const boots = [{ id: FIRST_BOOT, offset: NOW - 1000, since: 1000, seen: 12 * HOUR }];
  for (const hours of [11, 12]) await file.save({ floor: NOW - DAY + hours * HOUR, leapMs: 0, boots });
  return board;
}

test("the system's clock counts from the boot of the system", () => {
  const before = Number(process.hrtime.bigint()) / 1e6;
  const now = systemClock().now();
  const after = Number(process.hrtime.bigint()) / 1e6;
  assert.ok(before - 1 <= now && now <= after + 1, `${before} ≤ ${now} ≤ ${after}`);
});

test("stamps made in 1970 are right once NTP has stepped the calendar by 56 years", async () => {
  const board = new FakeBoard();
  const boot = await board.boot({ wall: 0 });
  await using life = await board.open();
  let told = 0;
  using _listener = life.time.onTrusted(() => {
    told += 1;
  });
  const stamp = life.time.stamp();
  assert.ok(stamp < 1e12);
  assert.equal(life.time.bootId, boot);
  assert.equal(life.time.isTrusted, false);
  assert.equal(life.time.wallOf(stamp, boot), undefined);
  assert.match(life.time.fault!, /clock says 1970-01-01 00:00 UTC, earlier than 2026-01-01 00:00 UTC.*give it the time/);
  assert.match(life.log.join("\n"), /WARN|warn/);

  await board.clock.pass(10 * SECOND);
  board.clock.setWall(NOW);
  await board.clock.pass(SECOND);
  assert.equal(told, 1);
  assert.equal(life.time.isTrusted, true);
  assert.equal(life.time.fault, null);
  assert.equal(life.time.wallOf(stamp, boot), NOW - 10 * SECOND);
  assert.equal(life.time.wall(), board.clock.wall());
});

test("age within a boot is exact whatever the calendar does, or if there is none", async () => {
  const board = new FakeBoard();
  const boot = await board.boot({ wall: 0 });
  await using life = await board.open();
  const stamp = life.time.stamp();
  await board.clock.pass(90 * SECOND);
  assert.equal(life.time.ageOf(stamp, boot), 90 * SECOND);
  board.clock.setWall(NOW);
  await board.clock.pass(SECOND);
  assert.equal(life.time.ageOf(stamp, boot), 91 * SECOND);
  board.clock.setWall(NOW + 9 * YEAR);
  await board.clock.pass(SECOND);
  assert.equal(life.time.ageOf(stamp, boot), 92 * SECOND);
});

test("a stale calendar that could be right is believed, and the whole boot corrected when NTP comes", async () => {
  const board = await seasonedBoard();
  const stale = NOW + 11.5 * HOUR; // what fake-hwclock saved, half an hour before the power went
  const boot = await board.boot({ wall: stale });
  await using life = await board.open();
  const stamp = life.time.stamp();
  assert.equal(life.time.isTrusted, true);
  assert.equal(life.time.wallOf(stamp, boot), stale);
  let told = 0;
  using _listener = life.time.onTrusted(() => {
    told += 1;
  });
  const { revision } = life.time;
  await board.clock.pass(300 * SECOND);
  board.clock.setWall(NOW + 30 * HOUR);
  await board.clock.pass(SECOND);
  assert.equal(life.time.wallOf(stamp, boot), NOW + 30 * HOUR - 300 * SECOND);
  assert.equal(told, 1);
  assert.equal(life.time.revision, revision + 1);
  assert.match(life.log.join("\n"), /the clock was set.*by_ms=/);
});

test("a calendar that falls back by years is not followed, and time goes on without it", async () => {
  const board = await seasonedBoard();
  const boot = await board.boot({ wall: NOW + DAY });
  await using life = await board.open();
  const stamp = life.time.stamp();
  for (const wall of [0, NOW - 20 * YEAR, NOW - 2 * DAY, Number.NaN, -1e15]) {
    board.clock.setWall(wall);
    await board.clock.pass(SECOND);
    assert.equal(life.time.wallOf(stamp, boot), NOW + DAY, String(wall));
    assert.ok(life.time.fault !== null, String(wall));
  }
  assert.equal(life.time.isTrusted, true);
  assert.equal(life.time.wall(), NOW + DAY + 5 * SECOND);
  await board.clock.pass(90 * SECOND);
  board.clock.setWall(NOW + DAY + 95 * SECOND);
  await board.clock.pass(SECOND);
  assert.equal(life.time.fault, null);
  assert.match(life.log.join("\n"), /can be believed: what was captured/);
});

test("a calendar in the wrong time zone may come back by hours, even after a long time", async () => {
  const board = await seasonedBoard();
  const boot = await board.boot({ wall: NOW + DAY + 14 * HOUR }); // its clock chip keeps local time
  await using life = await board.open();
  const stamp = life.time.stamp();
  await board.hours(5);
  board.clock.setWall(NOW + DAY + 5 * HOUR);
  await board.clock.pass(SECOND);
  assert.equal(life.time.wallOf(stamp, boot), NOW + DAY);
});

test("a calendar that leaps ahead by years poisons neither the floor nor the ages, and may come back", async () => {
  for (const stay of [5 * 60 * SECOND, 3 * DAY]) {
    const board = await seasonedBoard();
    const old = { boot: FIRST_BOOT, stamp: 2 * SECOND };
    const boot = await board.boot({ wall: NOW + DAY });
    await using life = await board.open();
    const stamp = life.time.stamp();
    await board.hours(2);
    const floor = life.time.floor;
    const age = life.time.ageOf(old.stamp, old.boot)!;
    assert.ok(age > 20 * HOUR && age < 30 * HOUR, String(age));

    board.clock.setWall(NOW + 12 * YEAR);
    for (let left = stay; left > 0; left -= 60 * SECOND) {
      board.clock.advance(59 * SECOND);
      await board.clock.pass(SECOND);
    }
    assert.ok(life.time.floor - floor <= stay + HOUR, "the floor rises with time that has passed only");
    assert.ok(life.time.ageOf(old.stamp, old.boot)! <= age + stay, "nothing ages faster than time passes");

    const right = NOW + DAY + 2 * HOUR + stay;
    board.clock.setWall(right);
    await board.clock.pass(SECOND);
    assert.equal(life.time.fault, null);
    assert.equal(life.time.wallOf(stamp, boot), NOW + DAY);
    assert.equal(life.time.wall(), right + SECOND);
  }
});

test("a calendar that is days ahead for half an hour ages nothing that earlier boots left, one that holds still does", async () => {
  const board = await seasonedBoard();
  const boot = await board.boot({ wall: NOW + DAY });
  {
    await using life = await board.open();
    await board.hours(2);
    const age = life.time.ageOf(2 * SECOND, FIRST_BOOT)!;
    board.clock.setWall(NOW + 4 * DAY);
    board.clock.advance(1800 * SECOND);
    assert.ok(life.time.ageOf(2 * SECOND, FIRST_BOOT)! <= age + 1800 * SECOND);
    await board.hours(1);
  }
  await using life = await board.open(); // another process of that boot
  assert.equal(life.time.bootId, boot);
  assert.equal(life.time.ageOf(1000, FIRST_BOOT), life.time.wall() - NOW);
});

test("a calendar beyond the last day is never believed", async () => {
  const board = new FakeBoard();
  await board.boot({ wall: NOW + 40 * YEAR });
  await using life = await board.open();
  assert.equal(life.time.isTrusted, false);
  assert.match(life.time.fault!, /2066-.* later than 2046-01-01 00:00 UTC, the last day believed/);
});

test("a device that lay in a warehouse for three years learns the time at once, and is sure of it after a week", async () => {
  const board = await seasonedBoard();
  for (let day = 0; day < 9; day++) {
    const boot = await board.boot({ wall: NOW + 3 * YEAR + day * DAY });
    await using life = await board.open();
    assert.equal(life.time.wallOf(1000, boot), NOW + 3 * YEAR + day * DAY);
    await board.hours(23);
    const { floor } = life.time;
    assert.equal(floor > NOW + 3 * YEAR, day >= 7, `${day}: ${new Date(floor).toISOString()}`);
    assert.ok(floor <= board.clock.wall() - DAY);
  }
});

test("two processes of one boot agree, and the second knows what the first has learnt", async () => {
  const board = await seasonedBoard();
  const boot = await board.boot({ wall: 0 });
  let stamp = 0;
  {
    await using first = await board.open();
    stamp = first.time.stamp();
    board.clock.setWall(NOW + 2 * DAY);
    await board.clock.pass(SECOND);
  }
  await board.clock.pass(60 * SECOND);
  board.clock.setWall(0); // lost again
  await using second = await board.open();
  assert.equal(second.time.bootId, boot);
  assert.equal(second.time.isTrusted, true);
  assert.equal(second.time.wallOf(stamp, boot), NOW + 2 * DAY);
  assert.equal(second.time.wall(), NOW + 2 * DAY + 61 * SECOND);
});

test("a boot that never learnt the time leaves its stamps without one, and they do not age", async () => {
  const board = await seasonedBoard();
  const timeless = await board.boot({ wall: 0 });
  let stamp = 0;
  {
    await using life = await board.open();
    stamp = life.time.stamp();
    await board.hours(1);
  }
  await board.boot({ wall: NOW + 2 * DAY });
  await using life = await board.open();
  assert.equal(life.time.isTrusted, true);
  assert.equal(life.time.wallOf(stamp, timeless), undefined);
  assert.equal(life.time.ageOf(stamp, timeless), undefined);
});

test("what a boot learnt outlives a power cut a minute later", async () => {
  const board = new FakeBoard();
  const boot = await board.boot({ wall: 0 });
  const life = await board.open();
  const stamp = life.time.stamp();
  board.clock.setWall(NOW);
  await board.clock.pass(2 * SECOND);
  board.disk.powerCut();
  await board.boot({ wall: 0 });
  await using after = await board.open();
  assert.equal(after.time.isTrusted, false);
  assert.ok(Math.abs(after.time.wallOf(stamp, boot)! - NOW) <= SECOND);
  await life[Symbol.asyncDispose]();
});

test("the floor survives a power cut, and rises with every life of the board", async () => {
  const board = await seasonedBoard();
  await board.boot({ wall: NOW + DAY });
  const life = await board.open();
  await board.hours(10);
  board.disk.powerCut();
  await board.boot({ wall: NOW - 3 * DAY });
  {
    await using after = await board.open();
    assert.ok(after.time.floor >= NOW + 9 * HOUR, new Date(after.time.floor).toISOString());
    assert.equal(after.time.isTrusted, false);
    assert.ok(after.time.wall() >= after.time.floor);
    await board.hours(5);
  }
  await board.boot({ wall: 0 });
  await using last = await board.open();
  assert.ok(last.time.floor >= NOW + 14 * HOUR, new Date(last.time.floor).toISOString());
  await life[Symbol.asyncDispose]();
});

test("stamps of versions that stamped the calendar count if it had been set", async () => {
  const board = await seasonedBoard();
  await board.boot({ wall: NOW });
  await using life = await board.open();
  assert.equal(life.time.wallOf(NOW - DAY, null), NOW - DAY);
  assert.equal(life.time.wallOf(86_400_000, null), undefined); // 1970
  assert.equal(life.time.wallOf(1.6e12, null), undefined); // 2020
  await board.hours(2);
  assert.equal(life.time.ageOf(NOW - DAY, null), DAY + 2 * HOUR);
});

test("a boot id that shows an earlier instant is another boot's", async () => {
  const board = new FakeBoard();
  const boot = await board.boot({ wall: NOW });
  {
    await using _life = await board.open();
    await board.hours(2);
  }
  await board.boot({ wall: NOW + 5 * HOUR, id: boot }); // a snapshot was restored
  await using life = await board.open();
  assert.notEqual(life.time.bootId, boot);
  assert.equal(life.time.wallOf(1000, boot), NOW);
});

test("this machine's kernel tells its boot, and a real disk keeps what was learnt", async () => {
  await using folder = await tempFolder("petiole-clock");
  const env = { clock: systemClock(), disk: systemDisk(), entropy: systemEntropy(), log: silentLog() };
  const kernels = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  let stamp = 0;
  {
    await using time = await openTimeKeeper(folder.path, env);
    assert.equal(time.bootId, kernels);
    stamp = time.stamp();
  }
  const dark = { ...env, clock: { ...env.clock, wall: () => 0 } };
  await using time = await openTimeKeeper(folder.path, dark);
  assert.ok(Math.abs(time.wallOf(stamp, kernels)! - Date.now()) < 5 * SECOND);
  assert.deepEqual(readdirSync(folder.path), ["clock"]);
  assert.equal(statSync(path.join(folder.path, "clock")).mode & 0o777, 0o600);
});

test("without the kernel's boot id each process has one of its own", async () => {
  const board = new FakeBoard();
  await ensureDirectory(board.disk, board.dataDir);
  const ids = new Set<string>();
  for (let i = 0; i < 2; i++) {
    await using life = await board.open();
    assert.match(life.time.bootId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.match(life.log.join("\n"), /gives this boot no id/);
    ids.add(life.time.bootId);
  }
  assert.equal(ids.size, 2);
});

test("a healthy system writes one small file an hour, and nothing when a process restarts", async () => {
  const board = await seasonedBoard();
  await board.boot({ wall: NOW + DAY });
  const { counters } = board.disk;
  {
    await using _life = await board.open();
    const before = { ...counters };
    await board.hours(25);
    assert.equal(counters.writes - before.writes, 25);
    assert.ok(counters.writtenBytes - before.writtenBytes < 24 * 1024);
  }
  const before = counters.writes;
  await using _again = await board.open();
  assert.equal(counters.writes, before);
});

test("a calendar that jumps to and fro every second is written once a minute and fills no log", async () => {
  const board = await seasonedBoard();
  await board.boot({ wall: NOW + DAY });
  await using life = await board.open();
  const before = board.disk.counters.writes;
  for (let i = 0; i < 600; i++) {
    board.clock.setWall(NOW + DAY + (i % 2) * HOUR + i * SECOND);
    await board.clock.pass(SECOND);
  }
  assert.ok(board.disk.counters.writes - before <= 11, String(board.disk.counters.writes - before));
  assert.ok(life.log.length <= 33, life.log.join("\n"));
});

test("a disk that refuses every write stops nothing, and is told once", async () => {
  const board = new FakeBoard();
  const boot = await board.boot({ wall: NOW });
  board.disk.faults.isReadOnly = true;
  await using life = await board.open();
  const stamp = life.time.stamp();
  await board.hours(5);
  assert.equal(life.time.wallOf(stamp, boot), NOW);
  assert.equal(life.log.filter((line) => line.includes("cannot keep the time on flash")).length, 1, life.log.join("\n"));
  board.disk.faults.isReadOnly = false;
  await board.hours(1);
  assert.ok((await readWhole(board.disk, CLOCK_FILE, 4096)) !== undefined);
});

test("a full disk leaves the older generation, and the next hour heals it", async () => {
  const board = await seasonedBoard();
  await board.boot({ wall: NOW + DAY });
  await using life = await board.open();
  await board.hours(2);
  board.disk.faults.failWriteIn = 1;
  await board.hours(1);
  const { floor } = life.time;
  {
    board.disk.killProcess();
    await using after = await board.open();
    assert.ok(floor - after.time.floor <= 2 * HOUR && after.time.floor > NOW, "the older generation serves");
  }
});

test("a clock file that is damaged, foreign or gone never stops a start", async () => {
  const board = await seasonedBoard();
  const whole = (await readWhole(board.disk, CLOCK_FILE, 4096))!;
  const foreign = ["", "\n", "{}", "null\ncrc32c 00000000\n", `${"[".repeat(5000)}\n`, "\0".repeat(300)].map((text) =>
    Buffer.from(text),
  );
  const torn = Array.from({ length: whole.length }, (_, at) => whole.subarray(0, at));
  const flipped = Array.from({ length: whole.length }, (_, at) => {
    const copy = Buffer.from(whole);
    copy[at] = copy[at]! ^ (1 << (at % 8));
    return copy;
  });
  for (const bytes of [...foreign, ...torn, ...flipped]) {
    const damaged = new FakeBoard();
    await damaged.boot({ wall: NOW + 2 * DAY });
    for (const name of ["clock", "clock.1"]) {
      await using file = await damaged.disk.open(`/data/${name}`, "create");
      await file.write(bytes, 0);
    }
    await using life = await damaged.open();
    assert.equal(life.time.isTrusted, true);
    assert.match(life.log.join("\n"), /cannot be used: \/data\/clock is damaged; \/data\/clock\.1 is damaged/);
  }
});

test("of a damaged clock file the older generation remains", async () => {
  const board = await seasonedBoard();
  await removeIfThere(board.disk, CLOCK_FILE);
  {
    await using file = await board.disk.open(CLOCK_FILE, "create");
    await file.write(Buffer.from("rot"), 0);
  }
  await board.boot({ wall: NOW - 2 * DAY });
  for (let i = 0; i < 3; i++) {
    await using life = await board.open();
    assert.equal(life.time.isTrusted, false);
    assert.ok(life.time.floor > NOW - DAY, "the floor of the older one, at least");
    assert.equal(
      life.log.some((line) => line.includes("went on with /data/clock.1")),
      i === 0,
    );
    await board.hours(1);
  }
});

test("power may fail at any call to the disk: the floor and the boots of before are still known", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const board = await seasonedBoard(seed);
    let lives: AsyncDisposable[] = [];
    for (let cut = 0; cut < 4; cut++) {
      await board.boot({ wall: NOW + DAY });
      board.disk.strikeAfter(1 + ((seed * 7 + cut * 3) % 25));
      lives.push(await board.open());
      await board.hours(2);
      board.disk.strikeAfter(undefined);
      board.disk.powerCut();
    }
    await board.boot({ wall: 0 });
    await using life = await board.open();
    lives.push(life);
    assert.equal(life.time.wallOf(1000, FIRST_BOOT), NOW, `seed ${seed}`);
    assert.ok(life.time.floor >= NOW - DAY + 11 * HOUR, `seed ${seed}`);
    for (const each of lives) await each[Symbol.asyncDispose]();
    lives = [];
  }
});

test("no more boots are remembered than fit, the oldest forgotten first", async () => {
  const board = new FakeBoard();
  const ids: string[] = [];
  for (let i = 0; i < 258; i++) {
    ids.push(await board.boot({ wall: NOW + i * HOUR }));
    await using _life = await board.open();
  }
  await board.boot({ wall: 0 });
  await using life = await board.open();
  assert.deepEqual(
    ids.map((id) => life.time.wallOf(1000, id) !== undefined),
    ids.map((_, i) => i >= 2),
  );
  const bytes = (await readWhole(board.disk, CLOCK_FILE, 1e6))!.length;
  assert.ok(bytes < 24 * 1024, String(bytes));
});
