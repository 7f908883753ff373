// Feeds millions of mutated inputs to what reads foreign bytes, each with an oracle of its own. What is fed and judged: lib/fuzz/.

import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { fuzzClient } from "./lib/fuzz/client.ts";
import { fuzzFrames } from "./lib/fuzz/frames.ts";
import { type FuzzOptions, type FuzzResult, fuzzLeaf } from "./lib/fuzz/leaf.ts";
import { fuzzMqtt } from "./lib/fuzz/mqtt.ts";
import { fuzzS2 } from "./lib/fuzz/s2.ts";
import { abortOnInterrupt } from "./lib/interrupt.ts";

const HELP = `usage: scripts/fuzz [TARGET…] [--inputs N] [--seconds N] [--seed S]

Feeds mutated inputs to the parsers of foreign bytes and compares each with a slow, plain oracle. Targets, all by default:
  client         what local NATS clients say, cut anywhere
  frames         what serial devices say: framers and decoders
  leaf           the leaf protocol: grammar and recorded sessions, spoilt and cut anywhere
  mqtt           what MQTT clients of 3.1, 3.1.1 and 5.0 say, spoilt and cut anywhere
  s2             the S2 decoder
  --inputs N     how many inputs for each target (default 10000000)
  --seconds N    stop earlier, after so many seconds for each target
  --seed S       replays a run; by default a fresh one, printed
Exit code 1 at the first input that goes wrong, with the input shortened.

example: scripts/fuzz leaf --inputs 100000 --seed 7
`;

const TARGETS: Readonly<Record<string, (options: FuzzOptions) => Promise<FuzzResult>>> = {
  client: fuzzClient,
  frames: fuzzFrames,
  leaf: fuzzLeaf,
  mqtt: fuzzMqtt,
  s2: fuzzS2,
};

async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      inputs: { type: "string", default: "10000000" },
      seconds: { type: "string" },
      seed: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const seed = wholeNumber("--seed", values.seed ?? String(randomInt(2 ** 31)));
  const limits = {
    inputs: wholeNumber("--inputs", values.inputs),
    ...(values.seconds === undefined ? {} : { seconds: wholeNumber("--seconds", values.seconds) }),
  };
  const signal = abortOnInterrupt();
  for (const name of positionals.length === 0 ? Object.keys(TARGETS) : positionals) {
    const fuzz = TARGETS[name];
    if (fuzz === undefined) throw new Error(`no target ${name} here; there are ${Object.keys(TARGETS).join(", ")}`);
    console.log(`${name}: seed ${seed}`); // before, so that a hang or a crash can be replayed, too
    const { inputs, accepted, bytes, seconds, note } = await fuzz({ ...limits, seed, signal });
    const share = ((accepted / inputs) * 100).toFixed(0);
    console.log(
      `${name}: ${inputs.toLocaleString("en")} inputs, ${(bytes / 1e6).toFixed(0)} MB, ${share} % of them good, in ${seconds.toFixed(0)} s; ${note}`,
    );
  }
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new Error(`${option} wants a whole number, got "${text}"`);
  return value;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(`petiole: ${(error as Error).message}`);
  process.exitCode ||= 1;
}
