import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSoakArguments } from "../../scripts/lib/soak/options.ts";
import { judgeGrowth, type Sample, slopeOf, warmUpMinutes } from "../../scripts/lib/soak/verdict.ts";

const MIB = 1 << 20;

/** A sample a minute, with a figure for each from `of`. */
function samples(minutes: number, of: (minute: number) => Partial<Sample>): Sample[] {
  const steady = {
    heap_bytes: 20 * MIB,
    external_bytes: 10 * MIB,
    rss_bytes: 90 * MIB,
    open_files: 80,
    handles: 60,
    listeners: 9,
    warnings: 0,
  };
  return Array.from({ length: minutes }, (_, minute) => ({ minute, ...steady, ...of(minute) }));
}

function growing(minutes: number, of: (minute: number) => Partial<Sample>): string[] {
  return Object.entries(judgeGrowth(samples(minutes, of))).flatMap(([name, { grows }]) => (grows ? [name] : []));
}

test("what stays level does not grow, however it swings", () => {
  assert.deepEqual(
    growing(60, () => ({})),
    [],
  );
  assert.deepEqual(
    growing(60, (minute) => ({ heap_bytes: (20 + (minute % 3)) * MIB, handles: 60 + (minute % 2) })),
    [],
  );
});

test("a leak is seen in every figure, in an hour and in five minutes", () => {
  assert.deepEqual(
    growing(60, (minute) => ({ heap_bytes: 20 * MIB + minute * 70_000 })),
    ["heap_bytes"],
  );
  assert.deepEqual(
    growing(60, (minute) => ({ open_files: 80 + Math.floor(minute / 20) })),
    ["open_files"],
  );
  assert.deepEqual(
    growing(5, (minute) => ({ listeners: 9 + minute, warnings: minute > 2 ? 1 : 0 })),
    ["listeners", "warnings"],
  );
  assert.deepEqual(
    growing(5, (minute) => ({ heap_bytes: (20 + minute / 2) * MIB })),
    [],
    "in five minutes code is still compiled",
  );
  assert.deepEqual(
    growing(5, (minute) => ({ heap_bytes: (20 + minute * 1.5) * MIB })),
    ["heap_bytes"],
  );
  assert.deepEqual(
    growing(5, (minute) => ({ rss_bytes: (90 + minute * 4) * MIB })),
    ["rss_bytes"],
  );
});

test("one odd sample moves nothing, a lasting step does", () => {
  assert.deepEqual(
    growing(30, (minute) => (minute === 29 ? { open_files: 500, heap_bytes: 90 * MIB } : {})),
    [],
  );
  assert.deepEqual(
    growing(60, (minute) => ({ external_bytes: (minute < 30 ? 10 : 40) * MIB })),
    ["external_bytes"],
  );
  assert.equal(
    slopeOf([
      [0, 1],
      [1, 3],
      [2, 5],
    ]),
    2,
  );
});

test("too few samples are told, the first minutes prove nothing", () => {
  assert.throws(() => judgeGrowth(samples(1, () => ({}))), /1 samples, too few/);
  assert.deepEqual([warmUpMinutes(3), warmUpMinutes(5), warmUpMinutes(60)], [1, 1, 10]);
});

test("the command line: minutes, json, help, and what is wrong with it", () => {
  assert.deepEqual(parseSoakArguments([]), { minutes: 60, json: false });
  assert.deepEqual(parseSoakArguments(["--minutes=5", "--json"]), { minutes: 5, json: true });
  assert.equal(parseSoakArguments(["--minutes", "1", "--help"]), '--minutes wants a number from 3 to 10080, got "1"');
  assert.equal(parseSoakArguments(["-h"]), "help");
  assert.equal(parseSoakArguments(["hour"]), '"hour" was not expected');
});
