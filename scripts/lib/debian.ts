// Packages of the distribution that a command needs: installed when we are root, otherwise asked for in one exact command.

import { runCommand, tryCommand } from "./command.ts";

export type Say = (line: string) => void;

/** The lock wait: another apt may be at work, a second run of ours for one. */
const INSTALL = ["install", "--yes", "--quiet", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"];

// biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg's own placeholders
const SHOW_FORMAT = "--showformat=${Package} ${db:Status-Status}\\n";

/** Makes sure that all of them are installed. Says what it installs. Rejects with what to do where it can't. */
export async function needPackages(names: readonly string[], say: Say): Promise<void> {
  const missing = await missingPackages(names);
  if (missing.length === 0) return;
  const command = `apt-get install ${missing.join(" ")}`;
  if (process.getuid?.() !== 0) {
    throw new Error(`wanted the Debian packages ${missing.join(", ")}, which are not installed. As root run: ${command}`);
  }
  say(`installing the Debian packages ${missing.join(", ")} …`);
  const env = { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" };
  const first = await tryCommand("apt-get", [...INSTALL, ...missing], { env });
  if (first.code !== 0) {
    say("apt-get's lists are missing or old: updating them …"); // a fresh container has none; old ones name files that are gone
    await runCommand("apt-get", ["update", "--quiet"], { env });
    await runCommand("apt-get", [...INSTALL, ...missing], { env });
  }
  const still = await missingPackages(missing);
  if (still.length > 0) throw new Error(`${command} ended well, yet ${still.join(", ")} is not installed`);
  say(`installed ${missing.join(", ")}.`);
}

/** Those of `names` that dpkg does not hold as installed. */
export async function missingPackages(names: readonly string[]): Promise<string[]> {
  let listed: string;
  try {
    listed = (await tryCommand("dpkg-query", ["--show", SHOW_FORMAT, ...names])).stdout;
  } catch (cause) {
    throw new Error(
      `wanted ${names.join(", ")} on a Debian or Ubuntu machine; this one has no dpkg. Install them by other means`,
      {
        cause,
      },
    );
  }
  const installed = new Set(listed.split("\n").flatMap((line) => (line.endsWith(" installed") ? [line.split(" ")[0]!] : [])));
  return names.filter((name) => !installed.has(name));
}
