// A simulation is worth what it notices. Here the safeguards whose loss shows soon; all of them: scripts/simulate --mutants

import assert from "node:assert/strict";
import { test } from "node:test";
import { tryMutant } from "../../scripts/lib/simulate/mutants.ts";

const CUTS = 1_500;

for (const name of ["fsync", "directory-fsync", "checksum"]) {
  test(`the simulation notices a spoke without its ${name}`, async (t) => {
    const { signal } = new AbortController();
    const { cuts, breach } = await tryMutant(name, { seed: 1, cuts: CUTS, jobs: 1, lives: 20, signal });
    assert.ok(cuts !== null, `not within ${CUTS} cuts`);
    t.diagnostic(`after ${cuts} cuts: ${breach!.slice(0, 120)}`);
  });
}
