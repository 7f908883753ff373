import assert from "node:assert/strict";
import { test } from "node:test";
import { PetioleError } from "#base/errors.ts";
import { silentLog } from "#base/log.ts";
import { diagnose, examine, STEPS } from "#doctor/diagnose.ts";
import { broken, DEVICE, fine } from "#doctor/finding.ts";
import { DOCTOR_LIMITS, DOCTOR_PLACES, type Probe } from "#doctor/probe.ts";
import type { Step } from "#doctor/scene.ts";
import { FakeClock, turn } from "../../support/fake-clock.ts";

function fakeProbe(clock: FakeClock): Probe {
  return {
    env: { clock, log: silentLog() } as unknown as Probe["env"],
    dataDir: "/data",
    version: "test",
    limits: DOCTOR_LIMITS,
    places: DOCTOR_PLACES,
    settings: () => Promise.reject(new PetioleError("NO_FILE", "the settings cannot be read; mend the disk")),
    status: () => Promise.reject(new PetioleError("NO_DAEMON", "none answers")),
  } as unknown as Probe;
}

const step = (id: string, run: Step["run"]): Step => ({ id, title: `the ${id}`, run });
const ok = (id: string) => step(id, () => Promise.resolve([fine(DEVICE, "good")]));
const signal = new AbortController().signal;

test("each finding is handed out as soon as its step is done, before the next begins", async () => {
  const seen: string[] = [];
  const steps = ["a", "b"].map((id) =>
    step(id, async () => {
      seen.push(`${id} runs`);
      return [fine(DEVICE, "good"), fine(DEVICE, "good again")];
    }),
  );
  for await (const finding of diagnose(fakeProbe(new FakeClock()), signal, steps)) seen.push(`${finding.step} told`);
  assert.deepEqual(seen, ["a runs", "a told", "a told", "b runs", "b told", "b told"]);
});

test("a step that hangs is given up and said so, and the next one has its turn", async () => {
  const clock = new FakeClock();
  const examining = examine(fakeProbe(clock), signal, [step("stuck", () => new Promise(() => undefined)), ok("next")]);
  await turn();
  clock.advance(DOCTOR_LIMITS.step);
  const { findings, verdict } = await examining;
  assert.deepEqual(
    findings.map(({ step, verdict }) => `${step} ${verdict}`),
    ["stuck broken", "next fine"],
  );
  assert.match(findings[0]!.cause, /the stuck could not be examined within 120 s/);
  assert.equal(verdict, "broken");
});

test("settings and a daemon that hang are given up as well, and the caller's end ends that, too", async () => {
  const clock = new FakeClock();
  const hangs = () => new Promise<never>(() => undefined);
  const probe: Probe = { ...fakeProbe(clock), settings: hangs, status: hangs };
  const examining = examine(probe, signal, [STEPS[0]!, ok("next")]);
  await clock.pass(2 * DOCTOR_LIMITS.step);
  const { findings } = await examining;
  assert.deepEqual(
    findings.map(({ step, verdict }) => `${step} ${verdict}`),
    ["settings broken", "next fine"],
  );
  assert.match(findings[0]!.cause, /the settings could not be examined within 120 s/);
  const stop = new AbortController();
  const stopped = examine(probe, stop.signal, [ok("next")]);
  await turn();
  stop.abort(new Error("enough"));
  await assert.rejects(stopped, /enough/);
  assert.equal(clock.pending, 0);
});

test("a fault of operation inside a step is a finding; a bug is not swallowed", async () => {
  const fault = step("fault", () => Promise.reject(Object.assign(new Error("EIO: i/o error"), { code: "EIO" })));
  const { findings } = await examine(fakeProbe(new FakeClock()), signal, [fault]);
  assert.deepEqual([findings[0]!.verdict, findings[0]!.code, findings[0]!.detail], ["broken", "DOCTOR_STEP_FAILED", "EIO"]);
  const bug = step("bug", () => Promise.reject(new TypeError("undefined is no function")));
  await assert.rejects(examine(fakeProbe(new FakeClock()), signal, [bug]), TypeError);
});

test("the caller's end ends it, with the caller's reason", async () => {
  const stop = new AbortController();
  const examining = examine(fakeProbe(new FakeClock()), stop.signal, [step("stuck", () => new Promise(() => undefined))]);
  await turn();
  stop.abort(new Error("enough"));
  await assert.rejects(examining, /enough/);
});

test("the verdict is the worst finding's, and settings that cannot be looked at are the first one", async () => {
  const probe = fakeProbe(new FakeClock());
  const report = await examine(probe, signal, [STEPS[0]!, ok("a")]);
  assert.deepEqual(
    [report.verdict, report.findings[0]!.cause, report.findings[0]!.remedy],
    ["broken", "the settings cannot be read", "mend the disk"],
  );
  assert.equal((await examine(probe, signal, [ok("a")])).verdict, "fine");
  const bad = step("b", () => Promise.resolve([broken(DEVICE, { code: "X", cause: "c", remedy: "r" })]));
  assert.match((await examine(probe, signal, [ok("a"), bad])).compact, /B b=X$/);
});

test("step ids are unique and fit for programs, and every step has a title", () => {
  const ids = STEPS.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const { id, title } of STEPS) assert.match(`${id}:${title}`, /^[a-z_]+:\S/);
});
