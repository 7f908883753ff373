// What the demo needs of the machine: a few programs, the built daemon, a nats-server, a folder for everything it writes.

import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { runCommand } from "../command.ts";
import { needPackages, type Say } from "../debian.ts";
import { ROOT } from "../suites.ts";

export const HUB_LINE = "2.15";

/** Program → Debian package. */
const PROGRAMS = { openssl: "openssl", socat: "socat", setpriv: "util-linux", setsid: "util-linux" } as const;

/** Installs what is missing, builds, and hands back the path of a nats-server. Rejects with what to do. */
export async function prepareMachine(scratch: string, say: Say, signal: AbortSignal): Promise<string> {
  const missing = Object.entries(PROGRAMS).flatMap(([program, name]) => (isOnPath(program) ? [] : [name]));
  if (missing.length > 0) await needPackages([...new Set(missing)], say); // an apt at work is not interrupted
  signal.throwIfAborted();
  const built = await runCommand(process.execPath, [path.join(ROOT, "scripts/build.ts"), "--if-stale"]);
  if (built !== "") say(built.trim());
  signal.throwIfAborted();
  return await findHub(scratch, say, signal);
}

/** A folder that is gone when the demo is over, however it ends (a kill -9 aside). */
export function demoFolder(): { readonly path: string } & Disposable {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "petiole-demo-"));
  const remove = () => fs.rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  process.once("exit", remove);
  return {
    path: folder,
    [Symbol.dispose]: () => {
      process.off("exit", remove);
      remove();
    },
  };
}

function isOnPath(program: string): boolean {
  const folders = (process.env["PATH"] ?? "").split(path.delimiter);
  return folders.some((folder) => folder !== "" && fs.existsSync(path.join(folder, program)));
}

/** In a process of its own, because a download must end when the visitor says so, and leave its scratch where we clear up. */
async function findHub(scratch: string, say: Say, signal: AbortSignal): Promise<string> {
  const child = spawn(process.execPath, [path.join(ROOT, "scripts/nats-server.ts"), HUB_LINE], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, TMPDIR: scratch },
    signal,
  });
  const words: string[] = [];
  let found = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    found += text;
  });
  createInterface(child.stderr).on("line", (line) => {
    if (line.endsWith("…") || / is in \S+$/.test(line))
      say(line.replace(/^petiole: /, "")); // progress
    else words.push(line.replace(/^petiole: /, ""));
  });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once("close", resolve).once("error", reject);
  const code = await promise.catch((cause: unknown) => {
    signal.throwIfAborted();
    throw cause;
  });
  signal.throwIfAborted();
  if (code === 0) return found.trim();
  throw new Error(`the demo needs a nats-server ${HUB_LINE} as its hub, and got none.\n${words.join("\n")}`);
}
