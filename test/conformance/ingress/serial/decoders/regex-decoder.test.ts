import assert from "node:assert/strict";
import { test } from "node:test";
import type { DecodeOptions } from "#ingress/serial/decode-options.ts";
import { openDecoder, valuesOf } from "../../../../support/decoding.ts";

type Regex = DecodeOptions & { readonly type: "regex" };

function regex(pattern: string, more: Partial<Regex> = {}): Regex {
  return { type: "regex", charset: "utf-8", pattern, fields: [], decimal: ".", unitsIn: "headers", ...more };
}

test("named groups become values; one that took no part, or is empty, is none", () => {
  const feed = openDecoder(regex("T=(?<temp>[-+0-9.]+)C(?: H=(?<hum>\\d+)%)?(?<note>.*)"));
  assert.deepEqual(valuesOf(feed("xx T=21.40C H=55% ok ")), { temp: "21.40", hum: "55", note: '"ok"' });
  assert.deepEqual(valuesOf(feed("T=-3C")), { temp: "-3" });
});

test("a frame in which the pattern is not found is a fault", () => {
  assert.deepEqual(openDecoder(regex("^(?<a>\\d+)$"))("12x"), { messages: [], fault: "the pattern is not found in it" });
  assert.equal(openDecoder(regex("(?<a>.)"))(Buffer.of(0xff)).fault, "not UTF-8");
});

test("groups have types, scales and units where the settings give them", () => {
  const fields = [{ name: "w", type: "number", scale: 0.001, add: 0, unit: "kg" } as const];
  const feed = openDecoder(regex("(?<w>\\S+) (?<s>\\S+)", { fields }));
  assert.deepEqual(feed("12400 stable").messages, [
    { subject: "s.w", payload: "12.400", headers: ["Petiole-Unit: kg", "Petiole-Scale: 0.001"] },
    { subject: "s.s", payload: '"stable"' },
  ]);
  const broken = feed("12g stable");
  assert.equal(broken.fault, 'no number in group "w"');
  assert.deepEqual(valuesOf(broken), { s: '"stable"' });
});

test("patterns that others take for ever are linear here", () => {
  const evil = ["(?<a>(?:a+)+)$", "(?<a>(?:a|a)*)b", "(?<a>(?:a|aa)+)$", "(?<a>(?:.*a){20})$", "(?<a>a*a*a*a*a*)c"];
  for (const pattern of evil) {
    const feed = openDecoder(regex(pattern));
    const startedMs = performance.now();
    feed(`${"a".repeat(4095)}!`);
    const tookMs = performance.now() - startedMs;
    assert.ok(tookMs < 1500, `${pattern} took ${tookMs} ms`);
  }
});

test("a frame longer than what is searched is a fault, not a wait", () => {
  const feed = openDecoder(regex("(?<a>b)"));
  assert.equal(feed(`${"a".repeat(4095)}b`).fault, undefined);
  assert.equal(feed(`${"a".repeat(4096)}b`).fault, "4097 characters, at most 4096 are searched");
});
