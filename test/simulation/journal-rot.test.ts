// The journal's own tests once more, without leaving anything out: every byte of a file flipped and cut off, more lots drawn.
// In the quick run they take a sample. SEED and SEEDS as in test/unit/journal/simulation.test.ts.

process.env["JOURNAL_STRIDE"] = "1";
for (const name of [
  "recovery",
  "format-1",
  "packing",
  "encryption",
  "owed",
  "append-faults",
  "tail",
  "rewrite",
  "spare",
  "simulation",
]) {
  await import(`../unit/journal/${name}.test.ts`);
}
