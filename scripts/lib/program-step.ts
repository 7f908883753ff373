// A script of ours as a step of a test run: a process of its own, so that one that never comes to an end is ended. It counts as one
// test: exit code 0 is a pass.

import { spawn } from "node:child_process";
import * as path from "node:path";
import type { Step } from "./steps.ts";
import { ROOT } from "./suites.ts";

export interface Program {
  readonly name: string;
  /** The script, from the root, and its arguments. */
  readonly args: readonly [string, ...string[]];
  readonly timeoutMs: number;
  /** What to say when it was ended for being late. */
  readonly onLate: string;
}

export function programStep({ name, args: [script, ...rest], timeoutMs, onLate }: Program): Step {
  return {
    name,
    async run(signal) {
      const args = [path.join(ROOT, script), ...rest];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], signal, killSignal: "SIGKILL" });
      let output = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => {
          output += text;
        });
      }
      const timer = setTimeout(() => {
        output += `killed after ${timeoutMs / 1000} s: ${onLate}\n`;
        child.kill("SIGKILL");
      }, timeoutMs);
      const { promise, resolve, reject } = Promise.withResolvers<number | null>();
      child.once("error", reject).once("close", resolve);
      const code = await promise.finally(() => clearTimeout(timer));
      return { totals: { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 }, output };
    },
  };
}
