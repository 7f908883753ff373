// The fuzzer as a step of a test run: a process of its own, so that a parser that never comes to an end is ended, and the seed told.

import { spawn } from "node:child_process";
import * as path from "node:path";
import type { Step } from "../steps.ts";
import { ROOT } from "../suites.ts";

/** What starting up and shortening a finding may take beyond the fuzzing itself. */
const GRACE_MS = 60_000;

export function fuzzStep(target: string, seconds: number): Step {
  return {
    name: `fuzz ${target}`,
    async run(signal) {
      const args = [path.join(ROOT, "scripts/fuzz.ts"), target, "--seconds", String(seconds)];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], signal, killSignal: "SIGKILL" });
      let output = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => {
          output += text;
        });
      }
      const timer = setTimeout(
        () => {
          output += `killed: it was still busy ${GRACE_MS / 1000} s after its time; the seed above replays it\n`;
          child.kill("SIGKILL");
        },
        seconds * 1000 + GRACE_MS,
      );
      const { promise, resolve, reject } = Promise.withResolvers<number | null>();
      child.once("error", reject).once("close", resolve);
      const code = await promise.finally(() => clearTimeout(timer));
      return { totals: { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 }, output };
    },
  };
}
