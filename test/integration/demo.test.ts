// The demo as a visitor starts it: `scripts/demo`, a process of its own, judged by what it prints and what it leaves behind.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { isCut, rhythmFor } from "../../scripts/lib/demo/cable.ts";
import { Ledger } from "../../scripts/lib/demo/ledger.ts";
import { parseDemoArguments } from "../../scripts/lib/demo/options.ts";
import { failedSummary, type Outcome, type Summary, summarise } from "../../scripts/lib/demo/summary.ts";
import { findLeftovers, MARK_NAME } from "../../scripts/lib/leftovers.ts";
import { SpawnedProcess } from "../support/processes.ts";
import { tempFolder } from "../support/temp-folder.ts";

const DEMO = path.resolve(import.meta.dirname, "../../scripts/demo");

/** Downloads included, should this be the first run on the machine. */
const DEMO_MS = 240_000;

/** A demo whose scratch files all go into `folder`, and whose processes can be told from those of others. */
async function startDemo(folder: string, ...args: readonly string[]): Promise<SpawnedProcess> {
  return await SpawnedProcess.start(DEMO, args, { env: { TMPDIR: folder, [MARK_NAME]: folder } });
}

async function assertNothingLeft(folder: string): Promise<void> {
  assert.deepEqual(await findLeftovers(folder), [], "processes of the demo outlived it");
  assert.deepEqual(await commandLinesWith(folder), [], "processes of the demo outlived it"); // the spoke does not inherit the mark
  assert.deepEqual(await fs.readdir(folder), [], "files of the demo outlived it");
}

async function commandLinesWith(folder: string): Promise<string[]> {
  const pids = (await fs.readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => fs.readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => ""))); // gone meanwhile
  return lines.filter((line) => line.includes(folder)).map((line) => line.replaceAll("\0", " "));
}

test("a demo of 15 seconds cuts the link and delivers every reading once", { timeout: DEMO_MS }, async () => {
  await using folder = await tempFolder();
  await using demo = await startDemo(folder.path, "--seconds", "15", "--json");
  const exit = await demo.exited;
  assert.equal(exit.code, 0, demo.output);

  assert.match(demo.stdout, /^\{[^\n]*\}\n$/, "stdout is the summary and nothing else");
  const summary = JSON.parse(demo.stdout) as Summary;
  const { mqtt, serial } = summary.sources;
  for (const counts of [summary, mqtt, serial]) {
    assert.ok(counts.published > 0);
    assert.equal(counts.delivered, counts.published);
    assert.equal(counts.lost, 0);
    assert.equal(counts.duplicated, 0);
  }
  assert.equal(summary.published, mqtt.published + serial.published);
  assert.equal(summary.link_cuts, 1);
  assert.ok(summary.outbox_peak > 60, `the outbox was to grow for more than a second, its peak was ${summary.outbox_peak}`);
  assert.ok(summary.seconds >= 15);
  assert.match(summary.hub_version ?? "", /^2\.15\./);
  assert.equal(summary.ok, true);

  const { published } = summary;
  assert.match(demo.stderr, new RegExp(`^published ${published}, delivered ${published}, lost 0, duplicated 0$`, "m"));
  assert.ok(!demo.stderr.includes("\u001b"), "no colours where there is no terminal");
  await assertNothingLeft(folder.path);
});

test("Ctrl-C while the link is down drains and counts before the demo ends", { timeout: DEMO_MS }, async () => {
  await using folder = await tempFolder();
  await using demo = await startDemo(folder.path);
  const [, port, user, password] = await demo.says(/mosquitto_pub .*-p (\d+) -u (\S+) -P (\S+) /, DEMO_MS);
  await using visitor = await SpawnedProcess.start("mosquitto_pub", [
    ...["-h", "127.0.0.1", "-p", port!, "-u", user!, "-P", password!],
    ...["-q", "1", "-t", "sensors/hello", "-m", "from the visitor"],
  ]);
  assert.equal((await visitor.exited).code, 0, visitor.output);
  await demo.says(/at the hub: sensors\.hello {2}from the visitor/);
  await demo.says(/the cable is cut/, 20_000);
  demo.signal("SIGINT");
  assert.equal((await demo.exited).code, 0, demo.output);
  assert.match(demo.stdout, /published (\d+), delivered \1, lost 0, duplicated 0\n$/);
  await assertNothingLeft(folder.path);
});

test("a demo that is stopped at any stage of its start leaves nothing behind", { timeout: DEMO_MS }, async () => {
  const stages = [/Petiole demo/, /usb sensor/, /0:01 {2}up/];
  for (const stage of stages) {
    await using folder = await tempFolder();
    await using demo = await startDemo(folder.path, "--seconds", "30", "--json");
    await demo.says(stage, DEMO_MS);
    demo.signal("SIGTERM");
    assert.equal((await demo.exited).code, 143, demo.output);
    const summary = JSON.parse(demo.stdout) as Summary;
    assert.equal(summary.ok, false);
    assert.equal(summary.error, "stopped by SIGTERM");
    await assertNothingLeft(folder.path);
  }
});

test("a command line that makes no sense is refused with the reason", () => {
  assert.deepEqual(parseDemoArguments(["--json", "--seconds=20"]), { seconds: 20, json: true });
  assert.deepEqual(parseDemoArguments([]), { seconds: null, json: false });
  assert.equal(parseDemoArguments(["--seconds", "20", "--help"]), "help");
  assert.match(String(parseDemoArguments(["--seconds"])), /got nothing/);
  assert.match(String(parseDemoArguments(["--seconds="])), /got ""/);
  assert.match(String(parseDemoArguments(["--seconds", "soon"])), /got "soon"/);
  assert.match(String(parseDemoArguments(["--seconds", "4"])), /from 5 to/);
  assert.match(String(parseDemoArguments(["--fast"])), /"--fast" was not expected/);
});

test("the ledger finds what is missing and what came twice, in whatever order it hears of them", () => {
  const ledger = new Ledger();
  ledger.publishedThrough(3);
  ledger.stored(1);
  ledger.stored(2);
  ledger.stored(2);
  ledger.stored(2);
  assert.deepEqual(ledger.tally(), { published: 3, delivered: 2, lost: 1, duplicated: 1 });
  ledger.stored(5000); // before its acknowledgement
  assert.deepEqual(ledger.tally(), { published: 3, delivered: 2, lost: 1, duplicated: 1 });
  ledger.published(5000);
  ledger.published(5000);
  assert.deepEqual(ledger.tally(), { published: 4, delivered: 3, lost: 1, duplicated: 1 });
});

test("a summary is good only when both sources spoke, the link was cut, and nothing was lost, doubled or left waiting", () => {
  const tally = { published: 5, delivered: 5, lost: 0, duplicated: 0 };
  const good: Outcome = {
    mqtt: tally,
    serial: tally,
    linkCuts: 1,
    outboxPeak: 3,
    seconds: 20.04,
    hubVersion: "2.15.1",
    isDrained: true,
  };
  assert.equal(summarise(good).ok, true);
  assert.equal(summarise(good).published, 10);
  assert.equal(summarise(good).seconds, 20);
  const spoiled: readonly Partial<Outcome>[] = [
    { linkCuts: 0 },
    { isDrained: false },
    { mqtt: { published: 0, delivered: 0, lost: 0, duplicated: 0 } },
    { serial: { published: 0, delivered: 0, lost: 0, duplicated: 0 } },
    { serial: { ...tally, delivered: 4, lost: 1 } },
    { mqtt: { ...tally, duplicated: 1 } },
  ];
  for (const part of spoiled) assert.equal(summarise({ ...good, ...part }).ok, false, JSON.stringify(part));
  assert.equal(failedSummary("no socat").ok, false);
});

test("the cable is cut in a demo of any length, and whole at its beginning and end", () => {
  for (const seconds of [5, 15, 20, 29, 31, 60, 3600]) {
    const rhythm = rhythmFor(seconds);
    assert.ok(rhythm.periodMs <= seconds * 1000);
    assert.equal(isCut(rhythm, 0), false);
    assert.equal(isCut(rhythm, rhythm.periodMs / 2), true, `${seconds} s`);
    assert.equal(isCut(rhythm, seconds * 1000 - 1), false);
  }
  assert.equal(isCut(rhythmFor(null), 90_000), true, "without an end it goes on");
});
