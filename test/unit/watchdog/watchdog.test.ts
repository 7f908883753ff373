// When a process is ended because it cannot go on, and when not; what the next one knows of it.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { Disk } from "#base/disk.ts";
import type { Exec } from "#base/exec.ts";
import { createLog, formatLine } from "#base/log.ts";
import type { LinkReport, OutboxReport, RemoteReport } from "#status/report.ts";
import { BlackBox } from "#watchdog/black-box.ts";
import { type CrashRecord, encodeCrash, readCrash, tryDecodeCrash, writeCrash } from "#watchdog/crash-record.ts";
import { watchdogLimits } from "#watchdog/limits.ts";
import { noWatchdogMachine } from "#watchdog/machine.ts";
import { tellServiceManager } from "#watchdog/service-manager.ts";
import { Standstill } from "#watchdog/standstill.ts";
import { progressLimit, progressMark } from "#watchdog/uplink-progress.ts";
import { openWatchdog, type Watchdog } from "#watchdog/watchdog.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { fakeDisk } from "../../support/fake-disk.ts";

const DIR = "/data";
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const CRASH: CrashRecord = {
  kind: "loop",
  reason: "the event loop stood still for 60 s, in spin:1:1",
  at: "2026-01-01T00:00:00.000Z",
  version: "0.1.0",
  uptimeSeconds: 77,
  inRow: 1,
  log: ["one", "two"],
};

/** A watchdog on a clock and a disk of its own, and what it did. */
interface Kennel {
  readonly clock: FakeClock;
  readonly disk: Disk;
  readonly log: string[];
  readonly done: string[];
  /** The next calls that would reach the disk never end, until told. */
  hang(): void;
  heal(): void;
  bug: (error: unknown) => void;
  open(): Promise<Watchdog>;
}

let kennel: Kennel;

beforeEach(async () => {
  const clock = new FakeClock();
  const inner = fakeDisk();
  await inner.makeDirectory(DIR);
  let gate: PromiseWithResolvers<void> | undefined;
  const disk = new Proxy<Disk>(inner, {
    get: (target, name) => {
      const call = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
      return async (...args: unknown[]) => {
        await gate?.promise;
        return await call.apply(target, args);
      };
    },
  });
  const log: string[] = [];
  const done: string[] = [];
  kennel = {
    clock,
    disk,
    log,
    done,
    bug: () => undefined,
    hang: () => {
      gate = Promise.withResolvers();
    },
    heal: () => {
      gate?.resolve();
      gate = undefined;
    },
    open: () =>
      openWatchdog(
        { dataDir: DIR, version: "0.1.0" },
        { clock, disk, log: createLog(clock, "info", (line) => log.push(formatLine(line))) },
        {
          ...noWatchdogMachine(),
          kill: () => done.push("kill"),
          writeNow: (_, record) => done.push(`kept ${record.kind}: ${record.reason.split("\n")[0]}`),
          onBug: (listener) => {
            kennel.bug = listener;
            return { [Symbol.dispose]: () => undefined };
          },
        },
      ),
  };
});

function remote(link: Partial<LinkReport> = {}, outbox: Partial<OutboxReport> = {}): RemoteReport {
  const usualLink = { state: "ready", since: "2026-01-01T00:00:00.000Z", attempt: 1, url: "tls://hub:7422", connects: 1 };
  const usualOutbox = { depth: 0, held: 0, delivered: 0, live_sent: 0, fault: null };
  const { depth, held } = { ...usualOutbox, ...outbox };
  return {
    name: "EDGE",
    account: "EDGE",
    link: { ...usualLink, ...link },
    outbox: { ...usualOutbox, lanes: [{ depth, held }], ...outbox },
  } as RemoteReport;
}

test("only looks that took place count: a mark that changes, or is away, starts anew", () => {
  const stands = new Standstill<string>();
  assert.deepEqual(
    ["a", "a", "a", "b", "b", undefined, "b"].map((mark) => stands.look(mark)),
    [0, 1, 2, 0, 1, 0, 0],
  );
});

test("a disk that hangs is told of after 30 s, and ends the process after 120 s where no hub confirms, with a record if it can", async () => {
  await using dog = await kennel.open();
  kennel.hang();
  const call = dog.disk.list(DIR);
  await kennel.clock.pass(25 * SECOND);
  assert.equal(dog.diskFault, null);
  await kennel.clock.pass(15 * SECOND);
  assert.match(dog.diskFault ?? "", /listing of \/data has had no answer for 3\d s/);
  assert.deepEqual(kennel.done, []);
  await kennel.clock.pass(90 * SECOND);
  assert.deepEqual(kennel.done, ["kill"], "the record had its three seconds, on the disk that hangs");
  kennel.heal();
  await call;
});

test("a disk that hangs ends nothing while a hub confirms, and is fine again when it answers", async () => {
  await using dog = await kennel.open();
  dog.guard({ remotes: () => [remote()], waitMax: () => 0, stop: () => kennel.done.push("stop") });
  kennel.hang();
  const call = dog.disk.syncDirectory(DIR);
  await kennel.clock.pass(30 * MINUTE);
  assert.match(dog.diskFault ?? "", /sync of \/data/);
  kennel.heal();
  await call;
  await kennel.clock.pass(5 * SECOND);
  assert.equal(dog.diskFault, null);
  assert.deepEqual(kennel.done, []);
  assert.match(kennel.log.join("\n"), /the disk answers again/);
});

test("a disk that is slow but gets on, a year long, is no disk that hangs", async () => {
  await using dog = await kennel.open();
  for (let i = 0; i < 100; i++) {
    kennel.hang();
    const call = dog.disk.list(DIR);
    await kennel.clock.pass(20 * SECOND);
    kennel.heal();
    await call;
  }
  assert.equal(dog.diskFault, null);
  assert.deepEqual(kennel.done, []);
});

test("a link that gets nowhere for half an hour closes the daemon once, and the next run knows why", async () => {
  {
    await using dog = await kennel.open();
    dog.box.add("what came before");
    dog.guard({ remotes: () => [remote({ state: "syncing" })], waitMax: () => 0, stop: () => kennel.done.push("stop") });
    await kennel.clock.pass(29 * MINUTE);
    assert.equal(kennel.done.length, 0);
    await kennel.clock.pass(3 * MINUTE);
    assert.equal(kennel.done.join(), "stop,kill", "closed politely, and killed when that took too long");
    assert.equal(dog.isEnding, true);
  }
  await using next = await kennel.open();
  assert.equal(next.lastCrash?.kind, "uplink");
  assert.match(next.lastCrash?.reason ?? "", /the link of EDGE got nowhere for 30 min: it stays syncing/);
  assert.match(kennel.log.join("\n"), /an earlier run did not end well.*[\s\S]*before that end: what came before/);
  next.guard({ remotes: () => [remote({ state: "syncing" })], waitMax: () => 0, stop: () => kennel.done.push("again") });
  await kennel.clock.pass(59 * MINUTE);
  assert.equal(kennel.done.includes("again"), false, "an end that did not help comes half as often");
  await kennel.clock.pass(2 * MINUTE);
  assert.equal(kennel.done.includes("again"), true);
  assert.equal((await readCrash(kennel.disk, DIR))?.inRow, 2);
});

test("a link that comes up and gets rid of nothing, again and again, is given more time after each end", async () => {
  await writeCrash(kennel.disk, DIR, { ...CRASH, kind: "uplink", inRow: 2 });
  await using dog = await kennel.open();
  let state: LinkReport["state"] = "dialing";
  const remotes = () => [remote({ state }, { depth: 7 })];
  dog.guard({ remotes, waitMax: () => 0, stop: () => kennel.done.push("stop") });
  await kennel.clock.pass(2 * MINUTE);
  state = "ready";
  await kennel.clock.pass(100 * MINUTE);
  assert.deepEqual(kennel.done, [], "that it is up is no proof that it works");
  await kennel.clock.pass(30 * MINUTE);
  assert.equal(kennel.done[0], "stop");
});

test("a link that works again makes up for the ends before it", async () => {
  await writeCrash(kennel.disk, DIR, { ...CRASH, kind: "uplink", inRow: 4 });
  await using dog = await kennel.open();
  dog.guard({ remotes: () => [remote()], waitMax: () => 0, stop: () => undefined });
  await kennel.clock.pass(2 * MINUTE);
  assert.equal((await readCrash(kennel.disk, DIR))?.inRow, 0);
});

test("a hub that is away, one that nobody listens at, a full card and an idle link are no standstill", () => {
  const limit = watchdogLimits.uplinkMs;
  assert.notEqual(progressMark(remote({ state: "dialing", attempt: 1 })), progressMark(remote({ state: "dialing", attempt: 2 })));
  assert.equal(progressMark(remote({}, { depth: 0 })), undefined, "idle");
  assert.equal(progressMark(remote({}, { depth: 7, held: 7 })), undefined, "nobody listens");
  const runs = 65_536;
  assert.equal(
    progressMark(remote({}, { depth: 2 * runs + 7, held: runs })),
    undefined,
    "more of that than it can note, and others between",
  );
  assert.equal(progressMark(remote({}, { depth: 7, fault: "EIO" })), undefined, "the disk");
  assert.equal(progressMark(remote({ state: "stopped" })), undefined);
  assert.notEqual(progressMark(remote({}, { depth: 7, delivered: 1 })), progressMark(remote({}, { depth: 7, delivered: 2 })));
  const day = 24 * 60 * MINUTE;
  assert.ok(progressLimit(remote({ state: "waiting" }), day, limit, 0) > 2 * day, "as long as the settings let it wait");
  assert.equal(progressLimit(remote(), day, limit, 99), 32 * limit);
});

test("what ends the process as a bug is kept before it ends", async () => {
  await using _dog = await kennel.open();
  kennel.bug(new TypeError("undefined is no function"));
  assert.deepEqual(kennel.done, ["kept bug: a bug ended the daemon: TypeError: undefined is no function"]);
});

test("a closed watchdog leaves no timer behind", async () => {
  const dog = await kennel.open();
  dog.guard({ remotes: () => [], waitMax: () => 0, stop: () => undefined });
  await dog[Symbol.asyncDispose]();
  await dog[Symbol.asyncDispose]();
  assert.equal(kennel.clock.pending, 0);
});

test("the record is read as it was written, and never larger than its limit, whatever it was told", () => {
  assert.deepEqual(tryDecodeCrash(encodeCrash(CRASH)), CRASH);
  const large = { ...CRASH, reason: "r".repeat(100_000), log: Array.from({ length: 10_000 }, () => "\u{1f331}".repeat(1_000)) };
  const bytes = encodeCrash(large);
  assert.ok(bytes.length <= 65_536, `${bytes.length} bytes`);
  assert.ok(tryDecodeCrash(bytes)!.log.length > 10);
});

test("a record that is torn, foreign or none stops no start", async () => {
  const whole = encodeCrash(CRASH);
  for (let end = 0; end < whole.length - 1; end += 7) assert.equal(tryDecodeCrash(whole.subarray(0, end)), undefined);
  for (const text of [
    "null",
    "[]",
    "7",
    '{"kind":"loop"}',
    JSON.stringify({ ...CRASH, kind: "new" }),
    JSON.stringify({ ...CRASH, log: [7] }),
  ])
    assert.equal(tryDecodeCrash(Buffer.from(text)), undefined, text);
  await using dog = await kennel.open();
  assert.equal(dog.lastCrash, undefined);
});

test("the black box has the last lines, whole, after it went round many times", () => {
  const box = new BlackBox();
  assert.deepEqual(box.lines(), []);
  box.add("first");
  assert.deepEqual(box.lines(), ["first"]);
  for (let i = 0; i < 10_000; i++) box.add(`line ${i} ${"ü".repeat(i % 300)}`);
  const lines = box.lines();
  assert.match(lines.at(-1)!, /^line 9999 ü+$/);
  for (const [i, line] of lines.entries()) assert.match(line, new RegExp(`^line ${10_000 - lines.length + i} ü*$`));
  assert.ok(lines.length > 40, `${lines.length} lines`);
});

test("systemd is told that the daemon runs, and again twice in the time it grants; elsewhere nobody is told anything", async () => {
  const { clock } = kennel;
  const told: string[] = [];
  const exec: Exec = {
    run: async ({ file, args }) => {
      told.push([file, ...args].join(" "));
      return { status: told.length < 3 ? 0 : 1, stdout: "", stderr: "no such socket\n", killed: null };
    },
  };
  const log: string[] = [];
  const env = { clock, exec, log: createLog(clock, "info", (line) => log.push(line.message)) };
  tellServiceManager({}, env)[Symbol.dispose]();
  assert.deepEqual([told, clock.pending], [[], 0]);
  {
    using _manager = tellServiceManager({ NOTIFY_SOCKET: "/run/systemd/notify", WATCHDOG_USEC: "120000000" }, env);
    await clock.pass(5 * MINUTE);
  }
  assert.equal(told[0], "env NOTIFY_SOCKET=/run/systemd/notify systemd-notify --ready");
  assert.ok(told.slice(1).every((words) => words === "env NOTIFY_SOCKET=/run/systemd/notify systemd-notify WATCHDOG=1"));
  assert.ok(
    told.length > 30,
    "what did not get through is said again within seconds, long before systemd ends the process for silence",
  );
  assert.equal(log.length, 1, "said once that it does not work");
  assert.equal(clock.pending, 0);
});
