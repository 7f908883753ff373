import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { subjectMatches } from "#core/subject.ts";
import { RetainedTrie } from "#ingress/mqtt/retained-trie.ts";

interface Value {
  readonly subject: string;
}

function trieOf(subjects: Iterable<string>): RetainedTrie<Value> {
  const trie = new RetainedTrie<Value>();
  for (const subject of subjects) trie.set(subject, { subject });
  return trie;
}

function found(trie: RetainedTrie<Value>, filter: string): string[] {
  return Array.from(trie.matches(filter), ({ subject }) => subject).sort();
}

test("a filter finds what the naive matcher finds, each once", () => {
  const token = fc.constantFrom("a", "b", "/", "$s", "c//d");
  const subject = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join("."));
  const filter = fc
    .tuple(fc.array(fc.constantFrom("a", "b", "/", "$s", "*"), { maxLength: 4 }), fc.boolean())
    .map(([tokens, isRest]) => [...tokens, ...(isRest || tokens.length === 0 ? [">"] : [])].join("."));
  fc.assert(
    fc.property(fc.array(subject, { maxLength: 20 }), fc.array(subject, { maxLength: 10 }), filter, (put, gone, wanted) => {
      const trie = trieOf(put);
      for (const each of gone) trie.delete(each);
      const left = [...new Set(put)].filter((each) => !gone.includes(each));
      const isHidden = (each: string) => /^[*>]/.test(wanted) && each.startsWith("$");
      assert.deepEqual(found(trie, wanted), left.filter((each) => subjectMatches(wanted, each) && !isHidden(each)).sort());
      for (const each of put) assert.equal(trie.get(each)?.subject, left.includes(each) ? each : undefined);
    }),
    { numRuns: 500 },
  );
});

test("MQTT-4.7.2-1: a filter that begins with a wildcard finds no topic that begins with $", () => {
  const trie = trieOf(["$SYS.uptime", "$SYS.broker.load", "plant.$x", "plant"]);
  assert.deepEqual(found(trie, ">"), ["plant", "plant.$x"]);
  assert.deepEqual(found(trie, "*.uptime"), []);
  assert.deepEqual(found(trie, "*.$x"), ["plant.$x"]);
  assert.deepEqual(found(trie, "$SYS.>"), ["$SYS.broker.load", "$SYS.uptime"]);
  assert.deepEqual(found(trie, "$SYS.*"), ["$SYS.uptime"]);
});

test("a topic of a thousand levels is a long walk and not a deep stack", () => {
  const deep = Array.from({ length: 1024 }, () => "a").join(".");
  const trie = trieOf([deep, `${deep.slice(2)}`, "b"]);
  assert.deepEqual(found(trie, deep), [deep]);
  assert.equal(found(trie, "a.>").length, 2);
  assert.deepEqual(found(trie, deep.replaceAll("a", "*")), [deep]);
  assert.deepEqual(found(trie, `${deep}.*`), []);
  trie.delete(deep);
  trie.delete(deep.slice(2));
  assert.deepEqual(found(trie, ">"), ["b"]);
});

test("what comes and goes during a walk does not disturb it", () => {
  const trie = trieOf(Array.from({ length: 100 }, (_, i) => `plant.${i}.temp`));
  const seen = new Set<string>();
  for (const { subject } of trie.matches("plant.*.temp")) {
    assert.ok(!seen.has(subject));
    seen.add(subject);
    trie.delete("plant.50.temp");
    trie.delete("plant.7.temp");
    trie.set("plant.new.temp", { subject: "plant.new.temp" });
    trie.set("plant.8.temp", { subject: "plant.8.temp" });
  }
  assert.ok(!seen.has("plant.50.temp") && seen.has("plant.99.temp") && seen.size >= 98);
});

test("only what may match is looked at", () => {
  const trie = trieOf(Array.from({ length: 20_000 }, (_, i) => `plant.${i}.temp`));
  trie.set("other.x", { subject: "other.x" });
  const start = performance.now();
  for (let i = 0; i < 2000; i++) assert.equal(found(trie, "*.x").length, 1);
  for (let i = 0; i < 2000; i++) assert.equal(found(trie, "plant.777.*").length, 1);
  assert.ok(performance.now() - start < 2000, "4,000 narrow walks over 20,000 subjects");
});
