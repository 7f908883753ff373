// A part of the bench in a network namespace of its own: attackers have addresses that are not this device's, and nobody else can be
// reached. The addresses are those for documents (RFC 5737).

import { spawn } from "node:child_process";
import * as path from "node:path";
import { tryCommand } from "../command.ts";
import { findNatsServer } from "../nats-server.ts";
import { ROOT } from "../suites.ts";
import { LINE } from "./systems.ts";

export const STRANGERS = Array.from({ length: 8 }, (_, i) => `198.51.100.${i + 2}`);
export const HOST = "198.51.100.1";

/** Whether this process may make one: as root, and with iproute2. */
export async function canHaveNamespace(): Promise<boolean> {
  const answer = await tryCommand("unshare", ["--net", "ip", "link", "set", "lo", "up"]).catch(() => undefined);
  return answer?.code === 0;
}

/** The same command again, with `--inside`, where all addresses of 198.51.100.0/24 are this machine's, and nobody else can be reached. */
export async function runInside(part: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  await findNatsServer(LINE, { say: (line) => void process.stderr.write(`petiole: ${line}\n`) }); // while there is a network
  const script = `ip link set lo up && ip addr add ${HOST}/24 dev lo && exec "$@"`;
  const self = [process.execPath, path.join(ROOT, "scripts/bench.ts"), part, "--inside", ...args];
  const child = spawn("unshare", ["--net", "sh", "-c", script, "sh", ...self], { stdio: "inherit" });
  const onAbort = () => void child.kill("SIGTERM");
  signal.addEventListener("abort", onAbort, { once: true });
  const code = await new Promise<number>((resolve, reject) => {
    child.once("error", reject).once("close", (status) => resolve(status ?? 1));
  });
  signal.removeEventListener("abort", onAbort);
  process.exitCode = code;
}
