// "Did you mean": the known word closest to a mistyped one.

/** Edits we forgive: a third of the word's length, two at least. */
const SHARE = 3;

/** The nearest of `known` by edit distance, or undefined when none is near. Case does not count, nor `-` for `_`. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const wanted = normal(word);
  const limit = Math.max(2, Math.floor(wanted.length / SHARE));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of known) {
    const target = normal(candidate);
    if (Math.abs(target.length - wanted.length) >= bestDistance) continue;
    const distance = editDistance(wanted, target);
    if (distance >= bestDistance || distance >= target.length) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

function normal(word: string): string {
  return word.slice(0, 64).toLowerCase().replaceAll("-", "_");
}

/** Insertions, deletions and replacements that turn one word into the other (Levenshtein), one row at a time. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
