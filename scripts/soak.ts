// A typical site with a bad line, for an hour or as long as one likes: does anything grow, is anything lost? lib/soak/.

import { abortOnInterrupt } from "./lib/interrupt.ts";
import { memoryLine } from "./lib/soak/memory-kinds.ts";
import { parseSoakArguments, SOAK_HELP } from "./lib/soak/options.ts";
import { playSoak, type SoakVerdict } from "./lib/soak/play.ts";

const NAMES = {
  heap_bytes: "heap",
  external_bytes: "outside the heap",
  rss_bytes: "RSS",
  open_files: "open files",
  handles: "handles",
  listeners: "listeners",
  warnings: "warnings",
} as const;

function print({ minutes, published, delivered, lost, duplicated, links, growth, samples, ok }: SoakVerdict): void {
  console.log(
    `published ${published}, delivered ${delivered}, lost ${lost}, duplicated ${duplicated}; ${links} links in ${minutes} minutes`,
  );
  for (const [key, name] of Object.entries(NAMES)) {
    const { first, last, per_hour, grows } = growth[key as keyof typeof NAMES];
    const show = (value: number) => (key.endsWith("_bytes") ? `${(value / 2 ** 20).toFixed(2)} MiB` : String(value));
    console.log(`${grows ? "✖" : "✔"} ${name.padEnd(18)} ${show(first)} → ${show(last)}, ${show(per_hour)} an hour`);
  }
  const memory = samples.at(-1)?.memory;
  if (memory !== undefined) console.log(memoryLine(memory));
  console.log(ok ? "nothing lost, nothing twice, nothing grew" : "the soak failed");
}

const options = parseSoakArguments(process.argv.slice(2));
if (options === "help") process.stdout.write(SOAK_HELP);
else if (typeof options === "string") {
  process.stderr.write(`petiole: ${options}; "scripts/soak --help" shows what there is\n`);
  process.exitCode = 2;
} else {
  try {
    const verdict = await playSoak(options.minutes, (line) => process.stderr.write(`petiole: ${line}\n`), abortOnInterrupt());
    if (options.json) process.stdout.write(`${JSON.stringify(verdict)}\n`);
    else print(verdict);
    process.exitCode = verdict.ok ? 0 : 1;
  } catch (error) {
    process.stderr.write(`petiole: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
