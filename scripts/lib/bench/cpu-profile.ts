// Reads a .cpuprofile and says where the time went: self time by function, and by the folder the function lives in.

import { SourceMap, type SourceMapPayload } from "node:module";

/** As V8 writes it; only what we read. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Microseconds on the clock that `process.hrtime` shows too. */
  readonly startTime: number;
  /** Ids of nodes, one per sample. */
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

export interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
    readonly columnNumber: number;
  };
  readonly children?: readonly number[];
}

export interface Cost {
  readonly name: string;
  /** File and line; empty for what is no JavaScript. */
  readonly place: string;
  readonly selfMs: number;
  /** Of the time that was not idle. */
  readonly percent: number;
}

export interface Breakdown {
  readonly busyMs: number;
  readonly idleMs: number;
  readonly functions: readonly Cost[];
  /** `place` is the folder. */
  readonly folders: readonly Cost[];
}

const IDLE = "(idle)";
/** V8's own words for what is no function. */
const NO_FUNCTION: ReadonlySet<string> = new Set([IDLE, "(root)", "(program)", "(garbage collector)"]);

/** A stretch of time, in microseconds on the profile's clock. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

const ALWAYS: Window = { from: 0, to: Number.POSITIVE_INFINITY };

export function breakDown(profile: CpuProfile, map?: SourceMapPayload, window = ALWAYS): Breakdown {
  const names = new Namer(profile, map);
  const functions = new Map<string, { name: string; place: string; us: number }>();
  const folders = new Map<string, { name: string; place: string; us: number }>();
  let idleUs = 0;
  let busyUs = 0;
  let at = profile.startTime;
  for (const [i, id] of profile.samples.entries()) {
    at += profile.timeDeltas[i]!;
    if (at < window.from || at > window.to) continue;
    const us = profile.timeDeltas[i + 1] ?? 0; // a sample lasts until the next
    const { name, place, folder } = names.of(id);
    if (name === IDLE) {
      idleUs += us;
      continue;
    }
    busyUs += us;
    add(functions, `${name} ${place}`, { name, place, us });
    add(folders, folder, { name: folder, place: folder, us });
  }
  const costs = (of: typeof functions): Cost[] =>
    [...of.values()]
      .sort((a, b) => b.us - a.us)
      .map(({ name, place, us }) => ({ name, place, selfMs: us / 1000, percent: (us / busyUs) * 100 }));
  return { busyMs: busyUs / 1000, idleMs: idleUs / 1000, functions: costs(functions), folders: costs(folders) };
}

export function formatBreakdown(title: string, { busyMs, idleMs, functions, folders }: Breakdown, top = 20): string {
  const line = ({ name, place, selfMs, percent }: Cost) =>
    `  ${percent.toFixed(1).padStart(5)} %  ${selfMs.toFixed(0).padStart(6)} ms  ${name}${place && place !== name ? `  ${place}` : ""}`;
  return [
    `${title}: ${busyMs.toFixed(0)} ms busy, ${idleMs.toFixed(0)} ms idle`,
    "self time by function",
    ...functions.slice(0, top).map(line),
    "self time by folder",
    ...folders.slice(0, top).map(line),
    "",
  ].join("\n");
}

function add<T extends { us: number }>(to: Map<string, T>, key: string, cost: T): void {
  const known = to.get(key);
  if (known === undefined) to.set(key, cost);
  else known.us += cost.us;
}

interface Named {
  readonly name: string;
  readonly place: string;
  readonly folder: string;
}

/** Names a node for people; what is no JavaScript is named with its caller, because it says little by itself. */
class Namer {
  readonly #nodes: ReadonlyMap<number, ProfileNode>;
  readonly #parents = new Map<number, number>();
  readonly #map: SourceMap | undefined;
  readonly #known = new Map<number, Named>();

  constructor(profile: CpuProfile, map: SourceMapPayload | undefined) {
    this.#nodes = new Map(profile.nodes.map((node) => [node.id, node]));
    for (const node of profile.nodes) for (const child of node.children ?? []) this.#parents.set(child, node.id);
    this.#map = map && new SourceMap(map);
  }

  of(id: number): Named {
    let known = this.#known.get(id);
    if (known === undefined) this.#known.set(id, (known = this.#name(id)));
    return known;
  }

  #name(id: number): Named {
    const { functionName, url, lineNumber, columnNumber } = this.#nodes.get(id)!.callFrame;
    const name = functionName || (url === "" ? "(built in)" : "(anonymous)");
    if (url.startsWith("node:")) return { name, place: url, folder: "node itself" };
    if (url !== "") {
      const place = this.#place(url, lineNumber, columnNumber);
      return { name, place, folder: place.replace(/\/[^/]*$/, "") };
    }
    const parent = this.#parents.get(id);
    if (NO_FUNCTION.has(name) || parent === undefined) return { name, place: "", folder: name };
    const caller = this.of(parent);
    return { name: `${name} ← ${caller.name}`, place: caller.place, folder: "native code" };
  }

  #place(url: string, line: number, column: number): string {
    const entry = this.#map?.findEntry(line, column);
    if (entry === undefined || !("originalSource" in entry)) return `${url.replace(/^.*\//, "")}:${line + 1}`;
    const source = entry.originalSource.replace(/^.*?(?=(src|node_modules)\/)/, "");
    return `${source}:${entry.originalLine + 1}`;
  }
}
