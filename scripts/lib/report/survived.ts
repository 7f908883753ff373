// What was done to the spoke on purpose and how that ended: tests, power cuts, broken safeguards, attacks, a soak, mutated input.

import type { HostileReport } from "../bench/hostile-report.ts";
import type { Totals as Simulated } from "../simulate/run-worlds.ts";
import { memoryLine } from "../soak/memory-kinds.ts";
import type { SoakVerdict } from "../soak/play.ts";
import type { Totals as Tested } from "../test-run.ts";
import type { Evidence } from "./evidence.ts";

type Told = (outcome: never) => string[];

const TELLERS: readonly (readonly [name: string, tell: Told])[] = [
  ["tests", testLines],
  ["simulate", simulateLines],
  ["mutants", mutantLines],
  ["soak", soakLines],
  ["bench-hostile", hostileLines],
  ["fuzz", fuzzLines],
];

export function survivedLines(evidence: ReadonlyMap<string, Evidence>): string[] {
  const lines: string[] = [];
  for (const [name, tell] of TELLERS) {
    const run = evidence.get(name);
    if (run !== undefined) lines.push(...tell(run.outcome as never));
  }
  return lines.length === 0 ? ["Nothing was tried.", ""] : [...lines, ""];
}

function testLines({ passed, failed, skipped }: Tested): string[] {
  return [`- **Tests**: ${count(passed)} passed, ${count(failed)} failed, ${count(skipped)} skipped.`];
}

function simulateLines(totals: Simulated & { readonly seed: number; readonly seconds: number }): string[] {
  const { seed, cuts, worlds, starts, linked, published, acknowledged, accounted, breaches, seconds } = totals;
  const end =
    breaches.length === 0
      ? "no acknowledged message was lost or doubled, every start came up"
      : `**${breaches.length} promises broken**: ${breaches.map((breach) => `seed ${breach.seed}: ${breach.words}`).join("; ")}`;
  return [
    `- **Power cuts and kills** (simulated, seeds from ${seed}): ${count(cuts)} in ${count(worlds)} worlds, ${count(starts)} starts, ${count(linked)} of them with a link; ${count(published)} messages published, ${count(acknowledged)} acknowledged, ${count(accounted)} given up and accounted for, in ${Math.round(seconds)} s: ${end}.`,
  ];
}

function mutantLines({ seed, mutants }: { seed: number; mutants: readonly { words: string; cuts: number | null }[] }): string[] {
  const missed = mutants.filter(({ cuts }) => cuts === null);
  const end = missed.length === 0 ? "all noticed" : `**not noticed**: ${missed.map(({ words }) => words).join("; ")}`;
  return [`- **Broken safeguards** (seed ${seed}): ${mutants.length} safeguards taken out one by one, ${end}.`];
}

function soakLines({ minutes, published, delivered, lost, duplicated, links, growth, samples, ok }: SoakVerdict): string[] {
  const memory = samples?.at(-1)?.memory;
  const rising = Object.entries(growth).filter(([, { grows }]) => grows);
  const grown = rising.length === 0 ? "nothing grew" : `**grew**: ${rising.map(([name]) => name).join(", ")}`;
  return [
    `- **Soak** of ${minutes} minutes, the line cut and a sensor unplugged each minute: ${count(published)} published, ${count(delivered)} delivered, ${lost} lost, ${duplicated} doubled, ${links} links; ${grown}${ok ? "" : "; **it failed**"}.`,
    ...(memory === undefined ? [] : [`  - In its last minute, all garbage collected: ${memoryLine(memory)}.`]),
  ];
}

function hostileLines({ rows, seconds, broken }: HostileReport): string[] {
  const own = rows.filter(({ system, attack }) => system === "spoke" && attack !== "none");
  const peak = Math.max(...own.map(({ peakMib }) => peakMib));
  const ended = own.filter(({ fault }) => fault !== "");
  const lines = [
    `- **Attacks** of ${seconds} s each (${own.map(({ title, extent }) => `${title}: ${extent}`).join(", ")}): ${ended.length === 0 ? "the program lived through all of them" : `**ended by** ${ended.map(({ title }) => title).join(", ")}`}, ${peak.toFixed(0)} MiB resident at the most.`,
  ];
  for (const each of broken) lines.push(`  - **broken**: ${each}`);
  return lines;
}

/** "leaf: seed 7", then "leaf: 100,000 inputs, …" */
function fuzzLines(text: string): string[] {
  const lines = String(text).trim().split("\n");
  const ended = lines.filter((line) => /^\w+: [\d,]+ inputs/.test(line));
  const seedOf = (line: string) =>
    lines
      .find((each) => each.startsWith(`${line.split(":")[0]}: seed `))
      ?.split(" ")
      .at(-1);
  return [
    ...ended.map((line) => `- **Mutated input**, ${line} (seed ${seedOf(line) ?? "unknown"}).`),
    ...lines.filter((line) => line.startsWith("petiole:")).map((line) => `- **Mutated input went wrong**: ${line}`),
  ];
}

function count(value: number): string {
  return value.toLocaleString("en");
}
