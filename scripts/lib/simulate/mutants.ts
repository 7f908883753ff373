// The mutation check: breaks one safeguard at a time and lets the simulation run until it notices. One it does not notice is a hole in
// the simulation. Disks that lie stand in for a spoke that forgets to sync (test/simulation/spoke-liars.ts); what no disk can fake is
// changed in a copy of the sources.

import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { LIARS } from "../../../test/simulation/spoke-liars.ts";
import { tryCommand } from "../command.ts";
import { ROOT } from "../suites.ts";
import { runWorlds } from "./run-worlds.ts";

interface Patch {
  readonly name: string;
  readonly words: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const PATCHES: readonly Patch[] = [
  {
    name: "checksum",
    words: "every checksum is the same, so that all bytes pass",
    file: "src/base/crc32c.ts",
    from: "  return ~crc >>> 0;\n",
    to: "  return 0;\n",
  },
  {
    name: "stream-blind",
    words: "the spoke never learns that a stream takes what it sends, and trusts the hub's word",
    file: "src/outbox/streams/captures.ts",
    from: '.some(({ isMute }) => !isMute) ? "stored" : "free";\n',
    to: '.some(({ isMute }) => !isMute) ? "free" : "free";\n',
  },
];

export const MUTANTS = [...LIARS, ...PATCHES].map(({ name, words }) => ({ name, words }));

export interface MutantResult {
  readonly name: string;
  readonly words: string;
  /** null: not noticed. */
  readonly cuts: number | null;
  readonly seed: number | null;
  readonly breach: string | null;
}

export interface MutantOptions {
  readonly seed: number;
  /** Cuts within which it must be noticed. */
  readonly cuts: number;
  readonly jobs: number;
  readonly lives: number;
  readonly signal: AbortSignal;
}

/** A breach counts where the same world without the mutation is well: what is broken anyway proves nothing. */
export async function tryMutant(name: string, options: MutantOptions): Promise<MutantResult> {
  const patch = PATCHES.find((each) => each.name === name);
  const { words } = MUTANTS.find((each) => each.name === name)!;
  let seed = options.seed;
  for (let cuts = 0; cuts < options.cuts; ) {
    const left = { ...options, seed, cuts: options.cuts - cuts };
    const run = patch === undefined ? await runWorlds({ ...left, liar: name, breachesMax: 1 }) : await runPatched(patch, left);
    cuts += run.cuts;
    const [breach] = run.breaches;
    if (breach === undefined) break;
    const honest = await runWorlds({ ...options, seed: breach.seed, cuts: 1, jobs: 1, liar: null, breachesMax: 1 });
    if (honest.breaches.length === 0) return { name, words, cuts, seed: breach.seed, breach: breach.words };
    seed = breach.seed + 1;
  }
  return { name, words, cuts: null, seed: null, breach: null };
}

/** In a copy of the sources, in a process of its own. */
async function runPatched(patch: Patch, options: MutantOptions) {
  const copy = await fs.mkdtemp(path.join(os.tmpdir(), "petiole-mutant-"));
  try {
    for (const folder of ["src", "scripts", "test/simulation", "test/support"]) {
      await fs.cp(path.join(ROOT, folder), path.join(copy, folder), { recursive: true });
    }
    await fs.copyFile(path.join(ROOT, "package.json"), path.join(copy, "package.json"));
    await fs.symlink(path.join(ROOT, "node_modules"), path.join(copy, "node_modules"));
    const file = path.join(copy, patch.file);
    const source = await fs.readFile(file, "utf8");
    if (source.split(patch.from).length !== 2)
      throw new Error(`${patch.file} has changed: wanted ${JSON.stringify(patch.from)} in it once`);
    await fs.writeFile(file, source.replace(patch.from, patch.to));
    const { seed, cuts, jobs, lives } = options;
    const limits = ["--seed", seed, "--cuts", cuts, "--jobs", jobs, "--lives", lives].map(String);
    const result = await tryCommand(process.execPath, [path.join(copy, "scripts/simulate.ts"), ...limits, "--json"]);
    if (!result.stdout.startsWith("{")) throw new Error(`mutant ${patch.name} said no JSON:\n${result.output}`);
    return JSON.parse(result.stdout) as { readonly cuts: number; readonly breaches: readonly { seed: number; words: string }[] };
  } finally {
    await fs.rm(copy, { recursive: true, force: true });
  }
}
