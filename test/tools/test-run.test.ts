import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { closingLine, readAllowedSkips, runTestFiles } from "../../scripts/lib/test-run.ts";
import { tempFolder } from "../support/temp-folder.ts";

/** Runs one test file made of `body` and hands back the closing line and what was printed. */
async function run(body: string, options: { timeoutMs?: number; allowed?: string[]; signal?: AbortSignal } = {}) {
  return await runShared([body], options);
}

/** Runs a test file for each body, all of them in one process. */
async function runShared(
  bodies: readonly string[],
  options: { timeoutMs?: number; allowed?: string[]; signal?: AbortSignal } = {},
) {
  await using folder = await tempFolder();
  const files = bodies.map((_, index) => path.join(folder.path, `${"abcdef"[index]}.test.mjs`));
  for (const [index, file] of files.entries()) await fs.writeFile(file, `import test from "node:test";\n${bodies[index]}`);
  let printed = "";
  const totals = await runTestFiles(files, {
    sharing: true,
    timeoutMs: options.timeoutMs ?? 20_000,
    allowedSkips: new Set(options.allowed),
    print: (text) => {
      printed += text;
    },
    signal: options.signal ?? new AbortController().signal,
  });
  return { closing: closingLine(totals), printed };
}

test("passes are counted, and say nothing", async () => {
  assert.deepEqual(await run('test("a", () => {}); test("b", () => console.log("noise"));'), {
    closing: "2 passed, 0 failed, 0 skipped",
    printed: "",
  });
});

test("a failure is named with its parents, its error and what the file printed", async () => {
  const { closing, printed } = await run(
    'console.log("noise"); test("outer", async (t) => { await t.test("inner", () => { throw new Error("boom"); }); });',
  );
  assert.equal(closing, "0 passed, 2 failed, 0 skipped");
  assert.match(printed, /outer › inner {2}\(line 2\)\n {2}Error: boom[\s\S]*│ noise/);
});

test("a skip is a failure, unless it is allowed by name", async () => {
  const body = 'test("later", { skip: "no hardware" }, () => {}); test("now", () => {});';
  const forbidden = await run(body);
  assert.equal(forbidden.closing, "1 passed, 1 failed, 0 skipped");
  assert.match(forbidden.printed, /later\n {2}skipped \(no hardware\), and test\/allowed-skips.txt does not name it/);
  assert.equal((await run(body, { allowed: ["later"] })).closing, "1 passed, 0 failed, 1 skipped");
});

test("a file without a test, a crash, and an exit behind the tests' backs are failures", async () => {
  for (const [body, complaint] of [
    ["", /holds no test/],
    ["throw new Error('early');", /Error: early/],
    ["test('a', () => {}); process.exit(0);", /holds no test, or ended before its first/],
    ["test('a', () => new Promise(() => {})); setTimeout(() => process.exit(0), 300);", /"a" never came to an end/],
    ["test('a', () => {}); process.on('exit', () => { process.exitCode = 3; });", /ended with code 3/],
    [
      "test('a', () => { setTimeout(() => Promise.reject(new Error('too late')), 50); }); test('b', () => new Promise((r) => setTimeout(r, 200)));",
      /ended with code 1[\s\S]*too late/,
    ],
  ] as const) {
    const { closing, printed } = await run(body);
    assert.match(closing, /^\d passed, 1 failed, 0 skipped$/, body);
    assert.match(printed, complaint, body);
  }
});

test("a file that leaves something open is killed after its time, and so is one that never comes to its end", async () => {
  const open = await run("test('a', () => { setInterval(() => {}, 1000); });", { timeoutMs: 1_500 });
  assert.match(open.printed, /did not end within 1\.5 s and was killed: its tests were done, something was left open/);
  const endless = await run("test('a', () => { for (;;); });", { timeoutMs: 1_500 });
  assert.match(endless.printed, /never came to an end/);
  assert.equal(endless.closing, "0 passed, 1 failed, 0 skipped");
});

test("a process left behind is named and killed, however it was detached", async () => {
  const body = `import { spawn } from "node:child_process";
    test("a", () => { spawn("sleep", ["61"], { detached: true, stdio: "ignore" }).unref(); });`;
  const { closing, printed } = await run(body);
  assert.equal(closing, "1 passed, 1 failed, 0 skipped");
  const pid = Number(/left processes behind \(killed now\): (\d+) sleep 61/.exec(printed)?.[1]);
  assert.equal(await fs.readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""), ""); // gone, or dead and not yet buried
});

test("files that share a process are counted together; a fault is told of the file that has it, and the others count all the same", async () => {
  const good = "test('good', () => {});";
  assert.deepEqual(await runShared([good, good, good]), { closing: "3 passed, 0 failed, 0 skipped", printed: "" });
  for (const [body, complaint] of [
    ["test('bad', () => { throw new Error('boom'); });", /b\.test\.mjs[\s\S]*boom/],
    ["", /b\.test\.mjs[\s\S]*holds no test/],
    ["process.exit(0);", /b\.test\.mjs[\s\S]*holds no test/],
    ["test('open', () => { setInterval(() => {}, 1000); });", /b\.test\.mjs[\s\S]*something was left open/],
  ] as const) {
    const { closing, printed } = await runShared([good, body, good], { timeoutMs: 3_000 });
    assert.match(closing, /^[23] passed, 1 failed, 0 skipped$/, body);
    assert.match(printed, complaint);
    assert.doesNotMatch(printed, /[ac]\.test\.mjs/);
  }
});

test("files that pass alone and not together are a failure", async () => {
  const body = "test('first', () => { if (globalThis.seen) throw new Error('not the first'); globalThis.seen = true; });";
  const { closing, printed } = await runShared([body, body]);
  assert.equal(closing, "1 passed, 1 failed, 0 skipped");
  assert.match(printed, /not the first[\s\S]*passes alone; together in one process they do not/);
});

test("an interrupted run ends its files and does not pass", async () => {
  await assert.rejects(run("test('a', () => new Promise((r) => setTimeout(r, 60_000)));", { signal: AbortSignal.timeout(500) }));
});

test("allowed skips are names, one a line, with remarks", async () => {
  await using folder = await tempFolder();
  const file = path.join(folder.path, "skips.txt");
  await fs.writeFile(file, "# why\nfirst › one # remark\n\nissue #3 stays\n");
  assert.deepEqual([...(await readAllowedSkips(file))], ["first › one", "issue"]);
  assert.deepEqual([...(await readAllowedSkips(`${file}.none`))], []);
});
