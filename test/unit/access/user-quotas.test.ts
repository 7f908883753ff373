import assert from "node:assert/strict";
import { test } from "node:test";
import { TokenBucket } from "#access/token-bucket.ts";
import { UserQuotas } from "#access/user-quotas.ts";
import { FakeClock } from "../../support/fake-clock.ts";

test("a bucket gives a burst at once, then so many a second, and saves no more than the burst up", () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket({ perSecond: 10, burst: 3 }, clock);
  assert.deepEqual([bucket.tryTake(), bucket.tryTake(), bucket.tryTake(), bucket.tryTake()], [true, true, true, false]);
  clock.advance(99);
  assert.equal(bucket.tryTake(), false);
  clock.advance(1);
  assert.deepEqual([bucket.tryTake(), bucket.tryTake()], [true, false]);
  clock.advance(86_400_000 * 365);
  assert.equal(bucket.isFull, true);
  assert.deepEqual([bucket.tryTake(), bucket.tryTake(), bucket.tryTake(), bucket.tryTake()], [true, true, true, false]);
});

test("what is taken beyond the bucket is owed: the answer is how long until it is paid", () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket({ perSecond: 100, burst: 100 }, clock);
  assert.equal(bucket.take(100), 0);
  assert.equal(bucket.take(250), 2500);
  clock.advance(2499);
  assert.equal(bucket.take(0), 1);
  clock.advance(1);
  assert.equal(bucket.take(0), 0);
  assert.equal(bucket.isFull, false);
});

test("max_connections counts a user's connections, each ends once, and other users are not concerned", () => {
  const quotas = new UserQuotas(new FakeClock());
  const ann = { name: "ann", maxConnections: 2 };
  const first = quotas.enter(ann);
  quotas.enter(ann);
  assert.match(quotas.faultOf(ann) ?? "", /"ann" has 2 connections already/);
  assert.equal(quotas.faultOf({ name: "bob", maxConnections: 1 }), undefined);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  assert.equal(quotas.faultOf(ann), undefined);
  quotas.enter(ann);
  assert.match(quotas.faultOf(ann) ?? "", /max_connections/);
});

test("publish_rate is one rate over all connections of a user, and leaving does not pay what is owed", () => {
  const clock = new FakeClock();
  const quotas = new UserQuotas(clock);
  const ann = { name: "ann", publishRate: 10 };
  const [one, two] = [quotas.enter(ann), quotas.enter(ann)];
  assert.ok(one.isLimited && two.isLimited);
  assert.equal(one.publish(10), 0);
  assert.equal(two.publish(5), 500);
  one[Symbol.dispose]();
  two[Symbol.dispose]();
  assert.equal(quotas.enter(ann).publish(5), 1000);
});

test("a user without limits costs nothing and is not remembered", () => {
  const quotas = new UserQuotas(new FakeClock());
  const visit = quotas.enter({ name: "ann" });
  assert.equal(visit, quotas.enter({ name: "bob", maxConnections: null, publishRate: null }));
  assert.deepEqual([visit.isLimited, visit.publish(1_000_000)], [false, 0]);
});
