// The demo: readings travel from a simulated USB sensor and an MQTT device through the spoke into a real nats-server; the cable
// is cut and healed; in the end every reading is accounted for, one by one. What it is made of: scripts/lib/demo/.
//
//   exit 0  nothing lost, nothing twice      exit 1  something was, or the demo could not be played
//   exit 2  the command line was not understood      130, 143, 129  ended at once by a signal

import { listenForInterrupts } from "./lib/demo/interrupts.ts";
import { DEMO_HELP, parseDemoArguments } from "./lib/demo/options.ts";
import { playDemo } from "./lib/demo/play.ts";
import { Screen } from "./lib/demo/screen.ts";
import { failedSummary, type Summary } from "./lib/demo/summary.ts";

async function main(args: readonly string[]): Promise<number> {
  const options = parseDemoArguments(args);
  if (options === "help") {
    process.stdout.write(DEMO_HELP);
    return 0;
  }
  if (typeof options === "string") {
    process.stderr.write(`petiole: ${options}; "scripts/demo --help" shows what there is\n`);
    return 2;
  }
  const screen = new Screen(options.json ? process.stderr : process.stdout);
  const interrupts = listenForInterrupts();
  let summary: Summary;
  let code: number;
  try {
    summary = await playDemo(options, screen, interrupts);
    code = summary.ok ? 0 : 1;
  } catch (error) {
    const { message } = error as Error;
    if (interrupts.exitCode === undefined) process.stderr.write(`petiole: ${message.replace(/\.$/, "")}.\n`);
    else process.stderr.write(`petiole: ${message}; everything that was started is gone again.\n`);
    summary = failedSummary(message);
    code = interrupts.exitCode ?? 1;
  }
  if (options.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
  return code;
}

process.exitCode = await main(process.argv.slice(2));
