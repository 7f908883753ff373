// The tables of normative statements (STATEMENTS.md, STATEMENTS-5.md) against the tests that are there.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";

const TESTS = path.resolve(import.meta.dirname, "../../..");
const FOLDER = path.resolve(TESTS, "../src/ingress/mqtt");

/** Statements of MQTT 3.1.1 by section; each section counts from 1. */
const OF_311 =
  "1.5.3:3 2.2.2:2 2.3.1:7 3.1.0:2 3.1.2:24 3.1.3:11 3.1.4:5 3.2.0:1 3.2.2:6 3.3.1:12 3.3.2:3 3.3.4:1 3.3.5:2 3.6.1:1 3.8.1:1 " +
  "3.8.3:4 3.8.4:6 3.9.3:2 3.10.1:1 3.10.3:2 3.10.4:6 3.12.4:1 3.14.1:1 3.14.4:3 4.1.0:2 4.3.1:1 4.3.2:2 4.3.3:2 4.4.0:1 4.5.0:2 " +
  "4.6.0:6 4.7.1:3 4.7.2:1 4.7.3:4 4.8.0:2 6.0.0:4 7.0.0:2 7.1.1:1 7.1.2:1";

/** Of MQTT 5.0; a 2.2.1-1 it does not have. */
const OF_5 =
  "1.5.4:3 1.5.5:1 1.5.7:1 2.1.3:1 2.2.1:6 2.2.2:1 3.1.0:2 3.1.2:30 3.1.3:12 3.1.4:6 3.2.0:2 3.2.2:22 3.3.1:13 3.3.2:20 " +
  "3.3.4:10 3.4.2:3 3.5.2:3 3.6.1:1 3.6.2:3 3.7.2:3 3.8.1:1 3.8.3:5 3.8.4:8 3.9.2:2 3.9.3:2 3.10.1:1 3.10.3:2 3.10.4:6 " +
  "3.11.2:2 3.11.3:2 3.12.4:1 3.14.0:1 3.14.1:1 3.14.2:4 3.14.4:3 3.15.1:1 3.15.2:3 4.1.0:2 4.2:1 4.3.1:1 4.3.2:5 " +
  "4.3.3:13 4.4.0:2 4.5.0:2 4.6.0:6 4.7.0:1 4.7.1:2 4.7.2:1 4.7.3:4 4.8.2:6 4.9.0:3 4.12.0:7 4.12.1:2 4.13.1:1 4.13.2:1 " +
  "6.0.0:4";

interface Row {
  /** "3.1.2-8" */
  readonly statement: string;
  readonly asks: string;
  readonly proof: string;
}

/** Each table row that begins with the number of a statement. */
function rowsOf(file: string): Row[] {
  const rows: Row[] = [];
  for (const line of fs.readFileSync(path.join(FOLDER, file), "utf8").split("\n")) {
    const [name = "", asks = "", proof = ""] = line
      .replace(/^\|/, "")
      .split(" | ")
      .map((cell) => cell.replace(/\|\s*$/, "").trim());
    const statement = /^(?:MQTT5?-)?(\d+(?:\.\d+)+-\d+)$/.exec(name)?.[1];
    if (statement !== undefined) rows.push({ statement, asks, proof });
  }
  return rows;
}

/** Names of the tests in each file, as they stand in its source; those that helpers make are known by their statement. */
function testNames(): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const entry of fs.readdirSync(TESTS, { recursive: true, encoding: "utf8" })) {
    if (!entry.endsWith(".test.ts")) continue;
    const source = fs.readFileSync(path.join(TESTS, entry), "utf8");
    const found = source.matchAll(/(?:\btest\(\s*|\b\w+\(\s*(?=["`]MQTT))(["`])((?:\\.|(?!\1).)*)\1/gs);
    names.set(
      entry.slice(0, -".test.ts".length),
      Array.from(found, ([, , name]) => name!.replaceAll("\\", "")),
    );
  }
  return names;
}

/** What is wrong with what a row says proves it: files of which one test is named by the statement, or whole names of tests. */
function faultsOf({ statement, asks, proof }: Row, prefix: string, names: ReadonlyMap<string, readonly string[]>): string[] {
  const faults: string[] = [];
  if (asks === "") faults.push("it says nothing");
  if (proof === "" || proof === "—") faults.push("neither a proof nor a reason");
  const id = new RegExp(`${prefix}-${RegExp.escape(statement)}(?![0-9])`);
  const all = [...names.values()].flat();
  for (const [, proven] of proof.matchAll(/`([^`]+)`/g)) {
    const inFile = names.get(proven!);
    if (inFile !== undefined) {
      if (!inFile.some((name) => id.test(name))) faults.push(`no test of ${proven} is named ${prefix}-${statement}`);
    } else if (!all.includes(proven!)) faults.push(`there is neither a test nor a file of tests with the name "${proven}"`);
  }
  return faults.map((words) => `${prefix}-${statement}: ${words}`);
}

/** Sections rise, and in each the numbers rise. */
function disorderOf(rows: readonly Row[]): string[] {
  const keys = rows.map(({ statement }) => statement.split(/[.-]/).map(Number));
  return rows.flatMap(({ statement }, i) =>
    i === 0 || compare(keys[i - 1]!, keys[i]!) < 0 ? [] : [`${statement} is doubled, or stands too late`],
  );
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((number, i) => number !== b[i]);
  return at < 0 ? 0 : a[at]! - (b[at] ?? -1);
}

/** `sections`: "3.1.2:24", its statements count from 1. */
function statementsOf(sections: string): string[] {
  return sections.split(" ").flatMap((section) => {
    const [name, count] = section.split(":");
    return Array.from({ length: Number(count) }, (_, i) => `${name}-${i + 1}`);
  });
}

test("each statement of MQTT 3.1.1 has its row, in order, once", () => {
  assert.deepEqual(
    rowsOf("STATEMENTS.md").map(({ statement }) => statement),
    statementsOf(OF_311),
  );
});

test("each statement of MQTT 5.0 has its row, in order, once", () => {
  assert.deepEqual(
    rowsOf("STATEMENTS-5.md").map(({ statement }) => statement),
    statementsOf(OF_5).filter((statement) => statement !== "2.2.1-1"),
  );
});

for (const [file, prefix] of [
  ["STATEMENTS.md", "MQTT"],
  ["STATEMENTS-5.md", "MQTT5"],
] as const) {
  test(`${file}: the statements stand in their order, and each proof is a test that exists`, () => {
    const rows = rowsOf(file);
    const names = testNames();
    assert.ok(rows.length > 100, `${rows.length} rows`);
    assert.deepEqual([...disorderOf(rows), ...rows.flatMap((row) => faultsOf(row, prefix, names))], []);
  });
}

test("a table with a double, or a proof that does not exist, is found out", () => {
  const row = (statement: string, proof = "the client's duty") => ({ statement, asks: "something", proof });
  assert.equal(disorderOf([row("3.1.2-1"), row("3.1.2-1")]).length, 1);
  assert.equal(disorderOf([row("3.2.0-1"), row("3.1.2-1")]).length, 1);
  assert.deepEqual(disorderOf([row("3.9.3-1"), row("3.10.1-1"), row("3.10.1-2")]), []);
  const names = new Map([["wire/x", ["MQTT-3.1.2-10: sentence", "another"]]]);
  assert.equal(faultsOf(row("3.1.2-1", "`wire/x`"), "MQTT", names).length, 1);
  assert.deepEqual(faultsOf(row("3.1.2-10", "`wire/x`, `another`"), "MQTT", names), []);
  assert.equal(faultsOf(row("3.1.2-10", "`wire/y`, `no such`"), "MQTT", names).length, 2);
  assert.equal(faultsOf(row("3.1.2-10", ""), "MQTT", names).length, 1);
});
