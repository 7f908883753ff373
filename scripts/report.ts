// Makes test/REPORT.md of what runs have left in build/evidence. What is read and how it is told: lib/report/.

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { EVIDENCE_FOLDER, readEvidence } from "./lib/report/evidence.ts";
import { reportText } from "./lib/report/report-text.ts";
import { ROOT } from "./lib/suites.ts";

const HELP = `usage: scripts/report [--print]

Makes test/REPORT.md of what the last runs left in build/evidence:
  scripts/bench all                                              the bench
  scripts/test                                                   totals of all tests
  scripts/soak --json > build/evidence/soak.json                 an hour of a typical site
  scripts/simulate --cuts 20000 --json > build/evidence/simulate.json
  scripts/simulate --mutants --json > build/evidence/mutants.json
  scripts/fuzz --seconds 60 > build/evidence/fuzz.txt
What was not run is said to be missing. Known gaps: test/known-gaps.md.
  --print   to standard output instead
`;

const KNOWN_GAPS = path.join(ROOT, "test/known-gaps.md");
const REPORT = path.join(ROOT, "test/REPORT.md");

try {
  const { values } = parseArgs({
    options: { print: { type: "boolean", default: false }, help: { type: "boolean", short: "h", default: false } },
  });
  if (values.help) process.stdout.write(HELP);
  else {
    const evidence = await readEvidence(EVIDENCE_FOLDER, (line) => void process.stderr.write(`petiole: ${line}\n`));
    if (evidence.size === 0) throw new Error("there is nothing in build/evidence: run scripts/bench all first");
    const { version } = JSON.parse(await fs.readFile(path.join(ROOT, "package.json"), "utf8")) as { version: string };
    const text = reportText({ version, evidence, knownGaps: await fs.readFile(KNOWN_GAPS, "utf8") });
    if (values.print) process.stdout.write(text);
    else {
      await fs.writeFile(REPORT, text);
      console.log(`${path.relative(ROOT, REPORT)} is made of ${evidence.size} runs`);
    }
  }
} catch (error) {
  console.error(`petiole: ${(error as Error).message}`);
  process.exitCode = 1;
}
