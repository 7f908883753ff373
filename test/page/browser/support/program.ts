// The daemon as a program of its own, with a page: started by killable.ts, and killed without warning.

import { systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import { createLog, formatLine } from "#base/log.ts";
import { systemNet } from "#base/net.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import { LogTail } from "#web/server/log-tail.ts";
import { runDaemon } from "../../../../src/cli/run.ts";

const [dataDir, folder] = process.argv.slice(2) as [string, string];
const tail = new LogTail();
const clock = systemClock();
const log = createLog(clock, "info", (line) => {
  process.stderr.write(`${formatLine(line)}\n`);
  tail.add(line);
});
const env = { clock, disk: systemDisk(), net: systemNet(), tty: systemTty(), entropy: systemEntropy(), log };
process.exitCode = await runDaemon({ dataDir }, {}, env, process, { tail, folder });
