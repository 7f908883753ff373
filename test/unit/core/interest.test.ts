import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { InterestTrie } from "#core/interest.ts";
import { subjectMatches } from "#core/subject.ts";
import { filter, subject } from "../../support/arbitrary-subjects.ts";

test("the trie finds what the naive matcher finds, through any sequence of inserts and removes", () => {
  const step = fc.record({ isInsert: fc.boolean(), filter: filter(), value: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.array(subject(), { minLength: 1, maxLength: 10 }), (steps, subjects) => {
      const trie = new InterestTrie<number>();
      const naive = new Set<string>();
      for (const { isInsert, filter: wanted, value } of steps) {
        const key = `${wanted} ${value}`;
        assert.equal(isInsert ? trie.insert(wanted, value) : trie.remove(wanted, value), isInsert !== naive.has(key));
        if (isInsert) naive.add(key);
        else naive.delete(key);
        const probe = subjects[0]!;
        assert.deepEqual(sorted(trie.match(probe)), expected(naive, probe)); // fills the cache, which the next step must empty
      }
      for (const literal of subjects) assert.deepEqual(sorted(trie.match(literal)), expected(naive, literal), literal);
      assert.equal(trie.size, naive.size);
    }),
    { numRuns: 300 },
  );
});

test("more distinct subjects than the cache holds are all answered right", () => {
  const trie = new InterestTrie<string>();
  trie.insert("s.*", "star");
  for (let i = 0; i < 10_000; i++) assert.deepEqual(trie.match(`s.${i}`), ["star"]);
  trie.remove("s.*", "star");
  assert.equal(trie.hasMatch("s.1"), false);
});

test("results that hold many values are not all kept", () => {
  const trie = new InterestTrie<number>();
  for (let i = 0; i < 1000; i++) trie.insert("s.*", i);
  const first = trie.match("s.first");
  assert.equal(trie.match("s.first"), first, "it is kept");
  for (let i = 0; i < 100; i++) assert.equal(trie.match(`s.${i}`).length, 1000);
  assert.notEqual(trie.match("s.first"), first, "it had to make room");
});

test("a removed filter leaves no branch behind", () => {
  const trie = new InterestTrie<number>();
  for (let i = 0; i < 1000; i++) {
    trie.insert(`a.${i}.*.>`, i);
    trie.remove(`a.${i}.*.>`, i);
  }
  assert.equal(trie.size, 0);
  assert.deepEqual(trie.match("a.1.x.y"), []);
});

function sorted(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

function expected(naive: ReadonlySet<string>, literal: string): number[] {
  return [...naive]
    .flatMap((key) => {
      const [wanted, value] = key.split(" ");
      return subjectMatches(wanted!, literal) ? [Number(value)] : [];
    })
    .sort((a, b) => a - b);
}
