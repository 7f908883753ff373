// A simulated USB sensor: writes JSON lines such as {"temp":21.4,"hum":40.2,"n":17} to a tty, `n` rising by one with every line.
//
//   node scripts/simulate-sensor.ts /dev/pts/5 --rate 10 --count 100
//
// Ends at the count, or by SIGTERM or SIGINT after the line under way, and then says on standard output how many lines the tty took
// whole, as {"written":100}. A tty that nobody reads fills up; the sensor then waits, as long as it must.

import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

const FULL_RETRY_MS = 5;
const USAGE = "usage: node scripts/simulate-sensor.ts TTY [--rate LINES_PER_SECOND] [--count LINES] [--first N]";

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rate: { type: "string", default: "10" },
      count: { type: "string", default: "Infinity" },
      first: { type: "string", default: "1" },
    },
  });
  const [path] = positionals;
  const [rate, count, first] = [Number(values.rate), Number(values.count), Number(values.first)];
  if (path === undefined || positionals.length > 1 || !(rate > 0) || !(count >= 0) || !Number.isSafeInteger(first)) {
    console.error(USAGE);
    return 2;
  }
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  await using tty = await open(path, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
  let written = 0;
  try {
    written = await play(tty, { rate, count, first }, stop.signal);
  } finally {
    console.log(JSON.stringify({ written }));
  }
  return 0;
}

interface Plan {
  readonly rate: number;
  readonly count: number;
  readonly first: number;
}

/** Keeps to the plan's times: a line that was late is not followed by a slower rate. */
async function play(tty: FileHandle, plan: Plan, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now();
  let written = 0;
  while (written < plan.count && !signal.aborted) {
    const waitMs = startedAt + (written * 1000) / plan.rate - performance.now();
    if (waitMs > 1) await sleep(waitMs, undefined, { signal }).catch(() => undefined); // woken early to stop
    if (signal.aborted) break;
    if (!(await writeLine(tty, reading(plan.first + written), signal))) break;
    written += 1;
  }
  return written;
}

function reading(n: number): string {
  const temp = 21 + 3 * Math.sin(n / 40);
  const hum = 45 + 5 * Math.cos(n / 60);
  return `${JSON.stringify({ temp: Number(temp.toFixed(1)), hum: Number(hum.toFixed(1)), n })}\n`;
}

/** False when it was stopped before the tty took the whole line. */
async function writeLine(tty: FileHandle, line: string, signal: AbortSignal): Promise<boolean> {
  const bytes = Buffer.from(line);
  let done = 0;
  while (done < bytes.length) {
    try {
      done += (await tty.write(bytes, done)).bytesWritten;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
      if (signal.aborted) return false;
      await sleep(FULL_RETRY_MS);
    }
  }
  return true;
}

process.exitCode = await main();
