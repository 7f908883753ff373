import assert from "node:assert/strict";
import { test } from "node:test";
import { breakDown, type CpuProfile, formatBreakdown } from "../../scripts/lib/bench/cpu-profile.ts";

const node = (id: number, functionName: string, url: string, children: number[] = []) => ({
  id,
  callFrame: { functionName, url, lineNumber: 0, columnNumber: 0 },
  children,
});

const PROFILE: CpuProfile = {
  nodes: [
    node(1, "(root)", "", [2, 3, 6]),
    node(2, "(idle)", ""),
    node(3, "route", "file:///somewhere/petiole.js", [4, 5]),
    node(4, "latin1Slice", ""),
    node(5, "", ""),
    node(6, "(garbage collector)", ""),
    node(7, "route", "file:///somewhere/petiole.js"),
  ],
  startTime: 1_000_000,
  samples: [2, 3, 4, 5, 6, 7],
  timeDeltas: [99, 10_000, 3_000, 1_000, 500, 2_500, 3_000],
};

test("self time is gathered by function, of the time that was not idle", () => {
  const { busyMs, idleMs, functions } = breakDown(PROFILE);
  assert.deepEqual([busyMs, idleMs], [10, 10]);
  assert.deepEqual(
    functions.map(({ name, place, selfMs, percent }) => [name, place, selfMs, percent]),
    [
      ["route", "petiole.js:1", 6, 60],
      ["(garbage collector)", "", 2.5, 25],
      ["latin1Slice ← route", "petiole.js:1", 1, 10],
      ["(built in) ← route", "petiole.js:1", 0.5, 5],
    ],
  );
});

test("only the stretch of time that is asked for counts", () => {
  const { busyMs, idleMs, functions } = breakDown(PROFILE, undefined, { from: 1_013_000, to: 1_014_700 });
  assert.deepEqual([busyMs, idleMs], [4, 0]);
  assert.deepEqual(
    functions.map(({ name, selfMs }) => [name, selfMs]),
    [
      ["(garbage collector)", 2.5],
      ["latin1Slice ← route", 1],
      ["(built in) ← route", 0.5],
    ],
  );
});

test("a source map turns the bundle's places into the source's", () => {
  const map = {
    version: 3,
    file: "petiole.js",
    sources: ["../../src/router/router.ts"],
    sourcesContent: [],
    names: [],
    mappings: "AA+FA",
    sourceRoot: "",
  };
  const { functions, folders } = breakDown(PROFILE, map);
  assert.equal(functions[0]!.place, "src/router/router.ts:96");
  assert.deepEqual([folders[0]!.name, folders[0]!.selfMs], ["src/router", 6]);
});

test("the list is cut to the top, and an empty profile makes an empty list", () => {
  const text = formatBreakdown("QoS 0", breakDown(PROFILE), 1);
  assert.match(
    text,
    /^QoS 0: 10 ms busy, 10 ms idle\nself time by function\n {3}60\.0 % +6 ms {2}route {2}petiole\.js:1\nself time by folder\n/,
  );
  assert.doesNotMatch(text, /garbage/);
  assert.deepEqual(breakDown({ nodes: [], startTime: 0, samples: [], timeDeltas: [] }).functions, []);
});
