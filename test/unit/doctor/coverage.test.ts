import assert from "node:assert/strict";
import { test } from "node:test";
import { isWanted, permitted } from "#doctor/hub/coverage.ts";

const list = (allow: readonly string[] | null, deny: readonly string[] = []) => ({ allow, deny });

test("what of a filter the hub's lists let through", () => {
  assert.equal(permitted("sensors.>", null), "all");
  assert.equal(permitted("sensors.>", list(["sensors.>"])), "all");
  assert.equal(permitted("sensors.>", list([">"])), "all");
  assert.equal(permitted("sensors.>", list(["sensors.a"])), "some");
  assert.equal(permitted("sensors.>", list([">"], ["sensors.secret"])), "some");
  assert.equal(permitted("sensors.>", list(["alarms.>"])), "none");
  assert.equal(permitted("sensors.>", list([">"], ["sensors.>"])), "none");
  assert.equal(permitted("sensors.>", list(null, ["alarms.>"])), "all");
});

test("lists without a word mean that nothing may be sent, as nats-server shows a user who may only answer", () => {
  assert.equal(permitted(">", list(null)), "none");
});

test("the servers' own subjects are nobody who listens to readings", () => {
  assert.equal(isWanted(">", ["$JS.API.>", "_R_.>", "$LDS.x"]), false);
  assert.equal(isWanted(">", ["$JS.API.>", "plant.>"]), true);
  assert.equal(isWanted("sensors.a", ["sensors.*"]), true);
  assert.equal(isWanted("sensors.a", ["sensors.b", "alarms.>"]), false);
  assert.equal(isWanted("$KV.b.>", ["$KV.b.x"]), true);
});
