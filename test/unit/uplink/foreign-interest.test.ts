import assert from "node:assert/strict";
import { test } from "node:test";
import { ForeignInterest } from "#uplink/foreign-interest.ts";

function hearing(options: { readonly isIsolated?: boolean; readonly version?: string }, ...filters: readonly string[]) {
  const foreign = new ForeignInterest(options.isIsolated ?? true);
  foreign.onHub("hub-1", options.version ?? "2.15.1");
  for (const filter of filters) foreign.onInterest(filter);
  return foreign;
}

test("nothing is known before there is a hub", () => {
  assert.equal(new ForeignInterest(true).fault, null);
});

test("a hub or a cluster of 2.15.1 shows an isolated spoke one loop subject, its node's own: all is well", () => {
  const foreign = hearing({}, "$LDS.own", "hubclient.x", "orders.>");
  assert.deepEqual([foreign.fault, foreign.neighbours], [null, 0]);
});

test("a hub of 2.10 is told by its version, whether or not another spoke is there", () => {
  const { fault } = hearing({ version: "2.10.27" }, "$LDS.own");
  assert.deepEqual(fault, { cause: "too_old", text: "the hub (hub-1, version 2.10.27) is too old for isolation (wants 2.12)" });
  assert.equal(hearing({ version: "2.11.17" }).fault?.cause, "too_old");
  assert.equal(hearing({ version: "2.12.0" }).fault, null);
  assert.equal(hearing({ version: "3.0.0-beta" }).fault, null);
  assert.equal(hearing({ version: "unknown" }).fault, null);
});

test("a second loop subject shows that a new enough hub ignores the wish; when it goes, the fault does", () => {
  const foreign = hearing({}, "$LDS.own", "$LDS.other");
  assert.equal(foreign.fault?.cause, "ignored");
  assert.match(
    foreign.fault!.text,
    /the hub \(hub-1, version 2\.15\.1\) shows us the interest of 1 other spokes although isolation/,
  );
  foreign.onInterest("$LDS.other"); // repeated
  assert.equal(foreign.neighbours, 1);
  foreign.onInterestGone("$LDS.other");
  assert.equal(foreign.fault, null);
});

test("in a super-cluster the spokes of other clusters are seen all the same (2.15.1), and are called that", () => {
  const { fault } = hearing({}, "_GR_.>", "$LDS.own", "$LDS.far");
  assert.equal(fault?.cause, "other_clusters");
  assert.match(fault!.text, /super-cluster.*ends at a gateway/);
});

test("who did not ask for isolation has nothing to complain of", () => {
  const foreign = hearing({ isIsolated: false, version: "2.10.27" }, "$LDS.own", "$LDS.other");
  assert.deepEqual([foreign.fault, foreign.neighbours], [null, 1]);
});

test("a new link starts anew, and the end of one leaves nothing", () => {
  const foreign = hearing({}, "_GR_.>", "$LDS.own", "$LDS.other");
  foreign.onHub("hub-2", "2.15.1");
  assert.equal(foreign.fault, null);
  foreign.onInterest("$LDS.own");
  foreign.onInterest("$LDS.other");
  foreign.onDown();
  assert.deepEqual([foreign.fault, foreign.neighbours], [null, 0]);
});

test("a fleet without end costs no memory without end", () => {
  const foreign = hearing({}, ...Array.from({ length: 5000 }, (_, i) => `$LDS.${i}`));
  assert.ok(foreign.neighbours <= 1000);
  assert.match(foreign.fault!.text, /1000 or more other spokes/);
});
