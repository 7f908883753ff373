import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzLeaf } from "../../scripts/lib/fuzz/leaf.ts";
import { hubElements, nextCuts, nextInput } from "../../scripts/lib/fuzz/leaf-inputs.ts";
import { readLeaf } from "../support/leaf-oracle.ts";
import { seededRandom } from "../support/seeded-random.ts";

const NEVER = new AbortController().signal;

test("the same seed gives the same inputs and cuts, another one others", () => {
  const elements = hubElements();
  const take = (seed: number) => {
    const random = seededRandom(seed);
    return Array.from({ length: 200 }, () => {
      const input = nextInput(random, elements);
      return `${input.toString("base64")} ${nextCuts(random, input.length)}`;
    });
  };
  assert.deepEqual(take(1), take(1));
  assert.notDeepEqual(take(1), take(2));
});

test("elements come from every kind of line that hubs were heard to say", () => {
  const operations = new Set(hubElements().map((element) => /^\S+/.exec(element.toString("latin1"))![0]));
  for (const operation of ["INFO", "LS+", "LS-", "PING", "PONG", "LMSG", "HMSG", "-ERR"])
    assert.ok(operations.has(operation), operation);
});

test("inputs are neither all good nor all bad, and every breach the oracle knows is met", () => {
  const random = seededRandom(5);
  const elements = hubElements();
  const breaches = new Map<string, number>();
  for (let i = 0; i < 20_000; i++) {
    const breach = readLeaf(nextInput(random, elements)).breach ?? "good";
    breaches.set(breach, (breaches.get(breach) ?? 0) + 1);
  }
  assert.ok(breaches.get("good")! > 4000 && breaches.get("good")! < 16_000, `${breaches.get("good")} good`);
  for (const breach of [
    "line too long",
    "unknown operation",
    "wrong number of words",
    "weight",
    "too many words",
    "no subject",
    "sizes",
    "message too large",
    "no CRLF behind the payload",
    "address",
  ])
    assert.ok(breaches.has(breach), `${breach} is never met: ${[...breaches.keys()]}`);
});

test("a short run finds the parser and its oracle of one mind, within the memory it states", async () => {
  const { inputs, accepted, seed } = await fuzzLeaf({ inputs: 3000, seed: 1, signal: NEVER });
  assert.deepEqual([inputs, seed], [3000, 1]);
  assert.ok(accepted > 500);
});

test("a run ends when it is told to, and after its seconds", async () => {
  await assert.rejects(fuzzLeaf({ inputs: Infinity, seed: 1, signal: AbortSignal.abort(new Error("enough")) }), /enough/);
  const { inputs } = await fuzzLeaf({ inputs: Infinity, seconds: 0, seed: 1, signal: NEVER });
  assert.equal(inputs, 0);
});
