// What lists of filters mean, for messages, for subscriptions, and for members of queue groups.

import assert from "node:assert/strict";
import { test } from "node:test";
import { denies, permissionListOf, permits, permitsFilter, tryGroupFilter } from "#access/permissions.ts";
import { toSubject } from "#core/subject.ts";

/** As settings write it. */
function listOf(allow: readonly string[] | null, deny: readonly string[] = []) {
  const parsed = (texts: readonly string[]) => texts.map((text) => tryGroupFilter(text)!);
  return permissionListOf(allow === null ? null : parsed(allow), parsed(deny));
}

test("a filter may have one queue group behind it, both valid, and nothing else", () => {
  assert.equal(tryGroupFilter("jobs.>"), "jobs.>");
  assert.deepEqual(tryGroupFilter(" jobs.>\t v1.* "), { filter: "jobs.>", group: "v1.*" });
  const shore = toSubject("ruta.à"); // ends with a byte that would be a blank in another character set
  assert.equal(tryGroupFilter(shore), shore);
  assert.deepEqual(tryGroupFilter(`${shore} ${shore}`), { filter: shore, group: shore });
  assert.equal(permits(permissionListOf(null, [tryGroupFilter(shore)!]), shore), false);
  for (const text of ["", " ", "a b c", "a..b", "a b..c", "a.>.b", "> a.", ".a b"])
    assert.equal(tryGroupFilter(text), undefined, text);
});

test("filters of groups say nothing about who listens alone, nor about messages", () => {
  const list = listOf(["jobs.> workers"], ["secret spies"]);
  assert.equal(permitsFilter(list, "jobs.a", null), false);
  assert.equal(permits(list, "jobs.a"), false);
  assert.equal(permits(listOf(null, ["secret spies"]), "secret"), true);
  assert.equal(permitsFilter(listOf(null, ["secret spies"]), "secret", null), true);
});

test("where groups are named, a member of another may not, whatever is allowed without one", () => {
  const list = listOf(["jobs.>", "jobs.> v1.*"]);
  assert.deepEqual(
    [null, "v1.a", "v1.*", "v2.a", "v1"].map((group) => permitsFilter(list, "jobs.a", group)),
    [true, true, true, false, false],
  );
  assert.equal(permitsFilter(list, ">", "v1.a"), false, "more than is allowed");
});

test("deny beats allow, for groups and for all", () => {
  const list = listOf([">", "> >"], ["jobs.> *.dev", "secret"]);
  assert.deepEqual(
    [null, "prod", "a.dev"].map((group) => permitsFilter(list, "jobs.a", group)),
    [true, true, false],
  );
  assert.equal(permitsFilter(list, "secret", "prod"), false);
  assert.equal(permitsFilter(list, ">", "a.dev"), true, "taken out message by message");
  assert.deepEqual(
    [denies(list, "jobs.a", "a.dev"), denies(list, "jobs.a", "prod"), denies(list, "jobs.a", null)],
    [true, false, false],
  );
  assert.equal(denies(list, "secret", null), true);
});
