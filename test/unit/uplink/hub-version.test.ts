import assert from "node:assert/strict";
import { test } from "node:test";
import { enforcesPublish, understandsIsolation } from "#uplink/hub-version.ts";

test("publishes are checked since 2.11.16, 2.12.7 and 2.14.0", () => {
  const strict = ["2.11.16", "2.11.17", "2.12.7", "2.14.0", "2.15.1", "3.0.0", "2.12.7-RC.1", "v2.14.0", "unknown", ""];
  const lax = ["2.9.10", "2.10.27", "2.11.15", "2.12.0", "2.12.6", "1.4.1"];
  for (const version of strict) assert.equal(enforcesPublish(version), true, version);
  for (const version of lax) assert.equal(enforcesPublish(version), false, version);
});

test("isolation is understood since 2.12.0", () => {
  for (const version of ["2.12.0", "2.15.1", "3.0.0", "unknown"]) assert.equal(understandsIsolation(version), true, version);
  for (const version of ["2.11.99", "2.10.27", "1.12.0"]) assert.equal(understandsIsolation(version), false, version);
});
