import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest } from "#base/nearest.ts";

const KEYS = ["server_name", "accounts", "leafnodes", "mqtt", "listen", "urls"];

test("a mistyped word finds its neighbour", () => {
  assert.equal(nearest("server_nme", KEYS), "server_name");
  assert.equal(nearest("serverName", KEYS), "server_name");
  assert.equal(nearest("leafnode", KEYS), "leafnodes");
  assert.equal(nearest("MQTT", KEYS), "mqtt");
  assert.equal(nearest("url", KEYS), "urls");
});

test("a word that is near nothing finds nothing", () => {
  for (const word of ["jetstream", "x", "", "q".repeat(10_000)]) assert.equal(nearest(word, KEYS), undefined, word.slice(0, 20));
});
