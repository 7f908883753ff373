import assert from "node:assert/strict";
import { test } from "node:test";
import { compareVersions, isOfLine, newestOfLine, parseVersion } from "../../scripts/lib/version.ts";

test("releases are read out of tags, package versions and what the server prints", () => {
  for (const text of ["v2.10.27", "2.10.27", "2.10.27-1+b2", "2.10.27+ds1-1", "1:2.10.27+ds-2", " v2.10.27\n"]) {
    assert.equal(parseVersion(text), "2.10.27", text);
  }
});

test("previews and nonsense are no releases", () => {
  for (const text of ["", "2.10", "v2.15.0-RC.2", "2.15.0~rc1-1", "2.15.0-preview.1", "two", "2.10.27.1", "2.15.0-dev"]) {
    assert.equal(parseVersion(text), undefined, text);
  }
});

test("a line holds its versions and no others", () => {
  assert.ok(isOfLine("2.10.27", "2.10"));
  assert.ok(isOfLine("2.10.27", "2.10.27"));
  assert.ok(!isOfLine("2.10.27", "2.1"));
  assert.ok(!isOfLine("2.10.27", "2.10.2"));
});

test("the newest of a line is the newest by number", () => {
  assert.equal(newestOfLine(["2.10.9", "2.10.27", "2.15.1", "2.10.3"], "2.10"), "2.10.27");
  assert.equal(newestOfLine(["2.10.9"], "2.15"), undefined);
  assert.equal(compareVersions("2.9.0", "2.10.0") < 0, true);
  assert.equal(compareVersions("2.10.0", "2.10.0"), 0);
});
