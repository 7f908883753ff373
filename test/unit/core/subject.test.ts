import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  filterCovers,
  filtersOverlap,
  isReserved,
  isValidFilter,
  isValidSubject,
  isWildcard,
  SUBJECT_BYTES_MAX,
  subjectMatches,
  toSubject,
} from "#core/subject.ts";
import { filter, subject } from "../../support/arbitrary-subjects.ts";

test("a valid subject has no empty token, no white space and no whole-token wildcard", () => {
  for (const good of ["a", "a.b", "a*b.c>d", "$JS.API", "_INBOX.x", toSubject("größe.°C"), "/./"])
    assert.ok(isValidSubject(good), good);
  for (const bad of ["", ".", "a.", ".a", "a..b", "a b", "a\tb", "a\r\nb", "a\u007f", "*", "a.*", "a.>", ">", "\u0000"])
    assert.ok(!isValidSubject(bad), JSON.stringify(bad));
});

test("a filter may hold * anywhere and > only at the end", () => {
  for (const good of ["*", ">", "a.*.b", "a.>", "*.*"]) assert.ok(isValidFilter(good) && isWildcard(good), good);
  for (const bad of [">.a", "a.>.b", "a..>", "> "]) assert.ok(!isValidFilter(bad), bad);
});

test("a subject above the limit is refused, one at the limit is not", () => {
  assert.ok(isValidSubject("a".repeat(SUBJECT_BYTES_MAX)));
  assert.ok(!isValidSubject("a".repeat(SUBJECT_BYTES_MAX + 1)));
});

test("* takes exactly one token, > at least one", () => {
  assert.ok(subjectMatches("a.*", "a.b"));
  assert.ok(!subjectMatches("a.*", "a"));
  assert.ok(!subjectMatches("a.*", "a.b.c"));
  assert.ok(subjectMatches("a.>", "a.b.c"));
  assert.ok(!subjectMatches("a.>", "a"));
});

test("a filter that covers another matches everything the other matches", () => {
  fc.assert(
    fc.property(filter(), filter(), subject(), (outer, inner, literal) => {
      if (filterCovers(outer, inner) && subjectMatches(inner, literal)) assert.ok(subjectMatches(outer, literal));
    }),
  );
});

test("two filters that match the same subject overlap, and overlap is symmetric", () => {
  fc.assert(
    fc.property(filter(), filter(), subject(), (a, b, literal) => {
      assert.equal(filtersOverlap(a, b), filtersOverlap(b, a));
      if (subjectMatches(a, literal) && subjectMatches(b, literal))
        assert.ok(filtersOverlap(a, b), `${a} and ${b} both match ${literal}`);
    }),
  );
});

test("system subjects and inboxes are reserved, ordinary ones are not", () => {
  for (const reserved of ["$SYS.x", "$JS.API.x", "_INBOX.a.b", "_R_.x", "_GR_.x.y"]) assert.ok(isReserved(reserved), reserved);
  for (const ordinary of ["sensors.a", "_INBOXES.a", "a.$SYS"]) assert.ok(!isReserved(ordinary), ordinary);
});
