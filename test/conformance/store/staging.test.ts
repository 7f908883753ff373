import assert from "node:assert/strict";
import { test } from "node:test";
import { LAZY, Staging } from "#store/staging.ts";
import { bytesOf } from "./store-rig.ts";

function write(staging: Staging): Record<string, string | null> {
  return Object.fromEntries(
    Array.from(staging.changes())
      .filter(({ value }) => value !== undefined)
      .map(({ key, value }) => [key, value?.toString() ?? null]),
  );
}

test("a key that is staged again keeps its place in the queue of marks", () => {
  const staging = new Staging();
  staging.stage("a", bytesOf("1"), 1, LAZY);
  staging.stage("b", bytesOf("2"), 2, 0);
  staging.stage("a", bytesOf("333"), 3, LAZY);
  assert.equal(staging.firstMark, 1);
  assert.equal(staging.size, 2);
  assert.deepEqual(write(staging), { a: "333", b: "2" });
  assert.equal(staging.bytes, 3 + 1 + 3 + (3 + 1 + 1));
});

test("a cancelled change is over at the end of a turn that did nothing else", () => {
  const staging = new Staging();
  staging.stage("a", bytesOf("1"), 1, 0);
  staging.stage("b", bytesOf("2"), 2, LAZY);
  staging.endTurn(true);
  staging.cancel("a");
  assert.equal(staging.firstMark, 1, "not in the middle of the turn");
  staging.endTurn(false);
  assert.equal(staging.firstMark, 2);
  assert.deepEqual([staging.size, staging.soonSince, staging.has("a")], [1, LAZY, false]);
});

test("a cancelled change waits for what its turn put in its place", () => {
  const staging = new Staging();
  staging.stage("a", bytesOf("1"), 1, 0);
  staging.endTurn(true);
  staging.cancel("a");
  staging.stage("c", bytesOf("3"), 3, 0);
  staging.endTurn(true);
  assert.equal(staging.firstMark, 1);
  assert.deepEqual(write(staging), { c: "3" });
  staging.cancel("c");
  staging.endTurn(false);
  assert.equal(staging.firstMark, undefined, "nothing is left to wait for");
  assert.equal(staging.size, 0);
});

test("a cancelled key that is staged again and cancelled alone still waits for what once took its place", () => {
  const staging = new Staging();
  staging.stage("a", bytesOf("1"), 1, 0);
  staging.endTurn(true);
  staging.cancel("a");
  staging.stage("c", bytesOf("3"), 3, 0); // in place of a
  staging.endTurn(true);
  staging.stage("a", bytesOf("4"), 4, 0);
  staging.endTurn(true);
  staging.cancel("a");
  staging.endTurn(false);
  assert.equal(staging.firstMark, 1, "neither a nor c is on flash");
  const later = new Staging();
  later.stage("a", bytesOf("6"), 6, 0);
  later.putBack(staging);
  later.cancel("a");
  later.endTurn(false);
  assert.equal(later.firstMark, 1);
  assert.deepEqual(write(later), { c: "3" });
});

test("a turn whose commit began before it was over, and failed: what was cancelled in it still waits for what took its place", () => {
  const flying = new Staging();
  flying.stage("a", bytesOf("1"), 1, 0);
  flying.endTurn(true);
  flying.cancel("a");
  flying.stage("c", bytesOf("3"), 3, 0); // in place of a
  const staging = new Staging();
  staging.endTurn(true);
  staging.putBack(flying);
  staging.stage("a", bytesOf("4"), 4, 0);
  staging.endTurn(true);
  staging.cancel("a");
  staging.endTurn(false);
  assert.equal(staging.firstMark, 1, "neither a nor c is on flash");
});

test("a cancelled key that is staged again is written", () => {
  const staging = new Staging();
  staging.stage("a", bytesOf("1"), 1, 0);
  staging.cancel("a");
  staging.stage("a", bytesOf("2"), 3, LAZY);
  staging.endTurn(true);
  assert.deepEqual([staging.size, staging.firstMark, staging.soonSince], [1, 1, LAZY]);
  assert.deepEqual(write(staging), { a: "2" });
  staging.cancel("unknown");
  staging.cancel("a");
  staging.cancel("a");
  assert.deepEqual([staging.size, staging.bytes], [0, 0]);
});

test("what could not be written stands in front of what came since, which counts where both know a key", () => {
  const flying = new Staging();
  flying.stage("a", bytesOf("1"), 1, 0);
  flying.stage("b", bytesOf("2"), 2, 0);
  const staging = new Staging();
  staging.stage("c", bytesOf("3"), 3, LAZY);
  staging.stage("b", null, 4, LAZY);
  staging.stage("d", bytesOf("5"), 5, LAZY);
  staging.cancel("d");
  staging.putBack(flying);
  assert.deepEqual(
    Array.from(staging.changes(), ({ key, mark }) => [key, mark]),
    [
      ["a", 1],
      ["b", 2],
      ["c", 3],
      ["d", 5],
    ],
  );
  assert.deepEqual(write(staging), { a: "1", b: null, c: "3" });
  assert.deepEqual([staging.size, staging.soonSince], [3, 0]);
});
