// test/REPORT.md from evidence: what was run, which workload is measured where, what came out, what we lose, what was survived, what nobody
// has tried.

import type { Evidence } from "./evidence.ts";
import { type Figure, isLost, isOfTime } from "./figure.ts";
import { figuresOf } from "./figures.ts";
import { reasonOf } from "./reasons.ts";
import { survivedLines } from "./survived.ts";
import { WORKLOADS } from "./workloads.ts";

export interface ReportInput {
  readonly version: string;
  readonly evidence: ReadonlyMap<string, Evidence>;
  /** Markdown of its own. */
  readonly knownGaps: string;
}

/** Every run that a whole report has, and how it is made. */
const WANTED: readonly (readonly [name: string, how: string])[] = [
  ["tests", "scripts/test"],
  ...["main", "site", "thin", "hostile", "start", "outbox", "idle", "interest", "serial", "s2", "nats", "mqtt", "floor"].map(
    (part) => [`bench-${part}`, "scripts/bench all"] as const,
  ),
  ["soak", "scripts/soak --json"],
  ["simulate", "scripts/simulate --json"],
  ["mutants", "scripts/simulate --mutants --json"],
  ["fuzz", "scripts/fuzz"],
];
/** Above that share of all processors, others worked on the machine when we began. */
const QUIET_SHARE_MAX = 0.1;
/** The same by the load average, where nobody looked. */
const QUIET_LOAD_MAX = 1;

interface Judged extends Figure {
  /** Whether others worked on the machine: "quiet", or how busy it was. */
  readonly machine: string;
}

export function reportText({ version, evidence, knownGaps }: ReportInput): string {
  const runs = [...evidence.values()];
  const figures = runs.flatMap((run) => figuresOf(run).map((figure): Judged => ({ ...figure, machine: machineOf(run) })));
  return [
    `# What Petiole ${version} was put through`,
    "",
    "Made by `scripts/report` of what the runs below left behind; do not edit. Figures are medians of one machine in one run, peers beside",
    "ours in the same run.",
    "",
    ...busyWarning(runs),
    ...summaryLines(figures),
    "## What was run",
    "",
    ...runLines(evidence),
    "",
    ...machineLines(runs),
    "## Which workload is measured where",
    "",
    ...workloadLines(evidence),
    "",
    "## Figures",
    "",
    "*spoke* is ours. Where messages are acknowledged, what that acknowledgement means stands beside each figure, in brackets.",
    "",
    ...figureLines(figures),
    "## Targets not reached, and why",
    "",
    ...missedLines(figures),
    "## Where we lose",
    "",
    ...lostLines(figures),
    "## What an acknowledgement means",
    "",
    ...durabilityLines(evidence.get("bench-main")),
    "## What was survived",
    "",
    ...survivedLines(evidence),
    "## Known gaps",
    "",
    knownGaps.trim(),
    "",
  ].join("\n");
}

function summaryLines(figures: readonly Judged[]): string[] {
  if (figures.length === 0) return [];
  const judged = [...new Map(figures.flatMap((each) => (each.target === null ? [] : [[keyOf(each), each.target]]))).values()];
  const met = judged.filter(({ isMet }) => isMet).length;
  const compared = figures.filter(({ peer }) => peer !== null);
  const lost = compared.filter(isLost).length;
  return [
    `${met} of ${judged.length} targets are reached; of ${compared.length} comparisons with peers ${lost} are lost. All of them are below.`,
    "",
  ];
}

function busyWarning(runs: readonly Evidence[]): string[] {
  const busy = runs.filter((run) => figuresOf(run).length > 0 && machineOf(run) !== QUIET);
  if (busy.length === 0) return [];
  return [
    `**The machine was busy with other work in ${busy.length} of these runs**, as it stands beside each figure. Times and rates of such runs judge`,
    "nothing; bytes and memory hold.",
    "",
  ];
}

const QUIET = "quiet";

function machineOf({ others, load }: Evidence): string {
  if (others !== undefined) return others <= QUIET_SHARE_MAX ? QUIET : `${percent(others)} busy`;
  if (load === null) return "not known";
  return load[0] <= QUIET_LOAD_MAX ? QUIET : `load ${load[0].toFixed(1)}`;
}

function runLines(evidence: ReadonlyMap<string, Evidence>): string[] {
  const rows = [["run", "command", "when", "took", "load before → after", "outcome"]];
  for (const run of evidence.values()) {
    const { name, command, at, seconds, load, exitCode } = run;
    const outcome = exitCode === null ? "" : exitCode === 0 ? "well" : `exit code ${exitCode}`;
    const took = seconds === null ? "" : `${Math.round(seconds)} s`;
    rows.push([
      name,
      command && `\`${command.trim()}\``,
      at.slice(0, 16).replace("T", " "),
      took,
      load?.join(" → ") ?? "",
      outcome,
    ]);
  }
  for (const [name, how] of WANTED) if (!evidence.has(name)) rows.push([name, `\`${how}\``, "**not run**", "", "", ""]);
  return markdownTable(rows);
}

function machineLines(runs: readonly Evidence[]): string[] {
  const facts = new Map<string, string>();
  for (const { outcome } of runs) {
    const { machine = {}, versions = {} } = (outcome ?? {}) as { machine?: unknown; versions?: unknown };
    for (const [key, value] of Object.entries({
      ...(versions as object),
      ...(typeof machine === "string" ? { cpu: machine } : (machine as object)),
    })) {
      if (/load|after|before|processors/.test(key)) continue;
      facts.set(key, String(value));
    }
  }
  if (facts.size === 0) return [];
  return [[...facts].map(([key, value]) => `${key} ${value}`).join(" · "), ""];
}

function workloadLines(evidence: ReadonlyMap<string, Evidence>): string[] {
  const rows = [["", "workload", "measured by", "not measured"]];
  for (const { id, title, by, missing } of WORKLOADS) {
    const runs = by.map(([command, name]) => `\`${command}\`${evidence.has(name) ? "" : " (**not run**)"}`);
    rows.push([id, title, runs.join(", "), missing]);
  }
  return markdownTable(rows);
}

function figureLines(figures: readonly Judged[]): string[] {
  if (figures.length === 0) return ["None: no part of the bench was run.", ""];
  return WORKLOADS.flatMap(({ id, title }) => {
    const own = figures.filter(({ workload }) => workload === id);
    if (own.length === 0) return [];
    const groups = Map.groupBy(own, ({ what }) => what).values();
    const rows = [["what", "spoke", "peers", "ours / theirs", "target", "verdict", "machine"], ...[...groups].map(cellsOf)];
    return [`### ${id === "codec" ? "" : `${id}: `}${title}`, "", ...markdownTable(rows), ""];
  });
}

/** A target that is one of ours alone is one, however many peers stand beside it; a ratio is one for each peer. */
function keyOf({ what, peer, target }: Judged): string {
  return target!.text.startsWith("ratio") ? `${what} ${target!.text} ${peer?.name}` : `${what} ${target!.text}`;
}

/** One row of figures that are the same but for the peer. */
function cellsOf(figures: readonly Judged[]): string[] {
  const [{ what, unit, ours, durability, machine }] = figures as [Judged];
  const own = `${shown(ours)} ${unit}`.trim();
  const peers = figures.flatMap(({ peer }) => (peer === null ? [] : [peer]));
  const isSame = new Set(figures.map(({ target }) => `${target?.text} ${target?.isMet}`)).size === 1 && !isRatio(figures[0]!);
  const judged = isSame ? figures.slice(0, 1) : figures;
  return [
    what,
    durability === undefined ? own : `${own} (${durability})`,
    peers.map(({ name, value }) => `${`${shown(value)} ${unit}`.trim()} (${name})`).join("<br>"),
    peers.map(({ value }) => (value === 0 ? "–" : (ours / value).toFixed(2))).join("<br>"),
    judged.map(({ target }) => target?.text ?? "").join("<br>"),
    judged.map(verdictOf).join("<br>"),
    machine,
  ];
}

function isRatio({ target }: Judged): boolean {
  return target?.text.startsWith("ratio") === true;
}

function verdictOf(figure: Judged): string {
  const { target, machine } = figure;
  if (target === null) return "";
  if (target.isMet) return "reached";
  const by = Number.isFinite(target.shortBy) ? `short by ${percent(target.shortBy)}` : "missed";
  const isBusy = isOfTime(figure) && machine !== QUIET;
  return isBusy ? `${by}, on a busy machine` : `**${by}**`;
}

function percent(share: number): string {
  return share < 0.01 ? "under 1 %" : `${Math.round(share * 100).toLocaleString("en")} %`;
}

function lostLines(figures: readonly Judged[]): string[] {
  const lost = figures.filter(isLost);
  if (lost.length === 0) return [figures.length === 0 ? "Nothing was measured." : "Nowhere in these runs.", ""];
  const line = ({ what, unit, ours, peer, better, machine }: Judged) => {
    const ratio = peer!.value === 0 ? "" : `, × ${(ours / peer!.value).toFixed(2)}`;
    const wanted = better === "less" ? "less is better" : "more is better";
    return (
      `- ${what}: ${shown(ours)} against ${shown(peer!.value)} ${unit}`.trimEnd() +
      ` of ${peer!.name} (${wanted}${ratio}; ${machine})`
    );
  };
  return [...lost.map(line), ""];
}

function missedLines(figures: readonly Judged[]): string[] {
  const missed = new Map(figures.flatMap((each) => (each.target?.isMet === false ? [[keyOf(each), each]] : [])));
  if (missed.size === 0) return [figures.length === 0 ? "Nothing was measured." : "None in these runs.", ""];
  const lines = [...missed.values()].map((each) => {
    const { what, unit, ours, peer, target } = each;
    const found = isRatio(each) ? `ratio ${shown(ours / peer!.value)} to ${peer!.name}` : `${shown(ours)} ${unit}`.trim();
    return `- **${what}**: ${found}, wanted ${target!.text}. ${reasonOf(what) ?? "Not explained yet."}`;
  });
  return [...lines, ""];
}

function durabilityLines(main: Evidence | undefined): string[] {
  const { workloads = [] } = (main?.outcome ?? {}) as {
    workloads?: readonly { name: string; systems: readonly { name: string; durability: string }[] }[];
  };
  const systems = workloads.find(({ name }) => name === "qos1")?.systems ?? [];
  if (systems.length === 0) return ["Not measured.", ""];
  return [
    "Never compare rates of QoS 1 across different answers:",
    "",
    ...systems.map((each) => `- ${each.name}: ${each.durability}`),
    "",
  ];
}

function shown(value: number): string {
  const digits = Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

/** Rows of cells, the first the titles. */
export function markdownTable([titles, ...rows]: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(titles!), line(titles!.map(() => "---")), ...rows.map(line)];
}
