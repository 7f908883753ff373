import assert from "node:assert/strict";
import { test } from "node:test";
import type { Finding } from "#doctor/report.ts";
import { formatFinding } from "../../../src/cli/doctor.ts";

const BASE: Finding = {
  step: "reach",
  target: "tls://hub:7422",
  ref: "0.0",
  verdict: "broken",
  code: "LEAF_DIAL_FAILED",
  detail: "ECONNREFUSED",
  cause: "nobody answers",
  remedy: "knock again",
  facts: {},
  took_ms: 3,
};

test("what is broken stands with its place, its remedy and its code, under the step's title", () => {
  assert.equal(
    formatFinding(BASE, true),
    "the way to the hubs\n  BROKEN   tls://hub:7422: nobody answers\n           knock again (LEAF_DIAL_FAILED)\n",
  );
});

test("a step's title is not said twice, nor a place that the sentence names", () => {
  assert.equal(
    formatFinding({ ...BASE, verdict: "fine", code: null, remedy: null, cause: "hub tls://hub:7422 answers" }, false),
    "  fine     hub tls://hub:7422 answers\n",
  );
});

test("what a hub calls itself can neither move the cursor nor turn the line around", () => {
  const text = formatFinding({ ...BASE, cause: "hub \u001b[2J\u202eevil\n says hello" }, false);
  assert.match(text, /hub \\x1b\[2J\\u202eevil\\n says hello/);
  assert.equal(text.split("\n").length, 3);
  const chain = [{ subject: "CN=\u202eevil", issuer: "CN=b\nCN=\u001bc", begins: "Monday", ends: "Friday", sha256: "00ff" }];
  assert.match(formatFinding({ ...BASE, facts: { chain } }, false), /certificate CN=\\u202eevil, by CN=b\\nCN=\\x1bc, Monday/);
});

test("the certificates that were shown stand below a broken handshake, not below a good one", () => {
  const chain = [{ subject: "CN=a", issuer: "CN=b", begins: "Monday", ends: "Friday", sha256: "00ff" }];
  const line = /certificate CN=a, by CN=b, Monday to Friday, sha256 00ff/;
  assert.match(formatFinding({ ...BASE, facts: { chain } }, false), line);
  assert.doesNotMatch(formatFinding({ ...BASE, verdict: "fine", facts: { chain } }, false), line);
});
