// The emulator that runs one processor's programs on another: qemu-aarch64 on a PC. At least line 10: older ones do not know the calls
// that serial ports with uncommon speeds need. Static, so that the package of a newer Debian runs on an older one.
//
//   PATH  →  our cache folder  →  the distribution's mirror, unpacked and not installed

import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { fetchFromMirror } from "../apt-mirror.ts";
import { tryCommand } from "../command.ts";
import { defaultCacheFolder } from "../nats-server.ts";
import type { Architecture } from "./architecture.ts";

const LINE = "10.0";
const MAJOR_MIN = 10;
const SUITES = ["trixie", "stable"];

/** Path of the emulator; undefined, after saying why, where it cannot be had. */
export async function findQemu({ qemu }: Architecture, say: (line: string) => void): Promise<string | undefined> {
  const kept = path.join(defaultCacheFolder(), `qemu-user-${LINE}-${process.arch}`, qemu);
  for (const file of [qemu, kept]) {
    const answer = await tryCommand(file, ["--version"]).catch(() => undefined); // not there
    const major = Number(/version (\d+)\./.exec(answer?.stdout ?? "")?.[1]);
    if (answer?.code === 0 && major >= MAJOR_MIN) return file;
  }
  const scratch = await fs.mkdtemp(path.join(os.tmpdir(), "petiole-fetch-"));
  try {
    const answer = await fetchFromMirror({ packageName: "qemu-user", line: LINE, suites: SUITES }, scratch, say);
    if (!answer.found) {
      say(`no ${qemu} of line ${LINE}: ${answer.looked.join("; ")}`);
      return undefined;
    }
    await fs.mkdir(path.dirname(kept), { recursive: true });
    const fresh = `${kept}.new-${process.pid}`;
    await fs.copyFile(path.join(answer.folder, "usr/bin", qemu), fresh);
    await fs.chmod(fresh, 0o755);
    await fs.rename(fresh, kept);
    say(`${qemu} ${answer.version} is ${kept}`);
    return kept;
  } finally {
    await fs.rm(scratch, { recursive: true, force: true });
  }
}
