// The real daemon on a board whose calendar and boot a test decides: run this instead of src/main.ts, with the same arguments.
//
//   <data directory>/board.json     {"aheadMs":-1795000000000,"bootId":"…"}    read again whenever the time is asked for
//
// The monotonic clock, the disk and the network stay the machine's own.

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import disk from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import * as path from "node:path";

export interface Board {
  /** What the daemon's calendar is ahead of the machine's. */
  readonly aheadMs: number;
  readonly bootId: string;
}

const KERNEL_BOOT_ID = "/proc/sys/kernel/random/boot_id";

export const PROGRAM = import.meta.filename;

export function setBoard(dataDir: string, board: Board): void {
  const file = path.join(dataDir, "board.json");
  writeFileSync(`${file}.new`, JSON.stringify(board));
  renameSync(`${file}.new`, file); // the daemon may be reading
}

if (process.argv[1] === PROGRAM) {
  const dataDir = process.argv[process.argv.indexOf("--data") + 1]!;
  const board = () => JSON.parse(readFileSync(path.join(dataDir, "board.json"), "utf8")) as Board;
  const machineNow = Date.now;
  Date.now = () => machineNow() + board().aheadMs;
  const bootIdFile = path.join(dataDir, "boot_id");
  writeFileSync(bootIdFile, `${board().bootId}\n`);
  const open = disk.open;
  disk.open = (file, ...rest) => open(file === KERNEL_BOOT_ID ? bootIdFile : file, ...rest);
  syncBuiltinESMExports();
  await import("../../src/main.ts");
}
