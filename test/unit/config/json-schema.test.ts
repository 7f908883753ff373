import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { decode } from "#base/decode.ts";
import type { FieldNode, Node } from "#base/schema.ts";
import { settingsJsonSchema } from "#config/json-schema.ts";
import { settingsSchema } from "#config/settings.ts";
import { settingsTable } from "#config/settings-table.ts";

function* allFields(node: Node, path = ""): Generator<[string, FieldNode]> {
  if (node.kind === "list") yield* allFields(node.item, `${path}[]`);
  if (node.kind === "nullable" || node.kind === "mapped") yield* allFields(node.inner, path);
  if (node.kind === "either") for (const form of [node.list, node.object]) if (form !== null) yield* allFields(form, path);
  if (node.kind !== "fields") return;
  for (const [key, field] of Object.entries(node.fields)) {
    yield [`${path}.${key}`, field];
    yield* allFields(field.schema, `${path}.${key}`);
  }
}

test("every default is a value its own key takes, and every key has a help text", () => {
  let count = 0;
  for (const [path, field] of allFields(settingsSchema.node)) {
    count += 1;
    assert.ok(field.help.length > 5, path);
    if (!field.isRequired) assert.deepEqual(decode({ node: field.schema }, field.fallback).faults, [], path);
  }
  assert.ok(count > 80);
});

test("settings.schema.json is what the declarations say (else run: node scripts/settings-schema.ts)", async () => {
  const text = await readFile(new URL("../../../src/config/settings.schema.json", import.meta.url), "utf8");
  assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(settingsJsonSchema())));
});

test("the JSON Schema closes every object and marks secrets", () => {
  const schema = settingsJsonSchema();
  const text = JSON.stringify(schema);
  assert.equal(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
  assert.equal(text.split('"type":"object"').length, text.split('"additionalProperties":false').length);
  assert.ok(text.includes('"writeOnly":true'));
});

test("the table has a line for every key, and no broken cell", () => {
  const lines = settingsTable().trimEnd().split("\n");
  for (const line of lines) assert.equal(line.replaceAll("\\|", "").split("|").length, 6, line);
  for (const key of ["server_name", "leafnodes.remotes[].tls.ca_file", "outbox.rules[].keep", "serial[].match.vendor_id"]) {
    assert.ok(
      lines.some((line) => line.startsWith(`| \`${key}\` |`)),
      key,
    );
  }
});

test("the README shows the table as the settings declare it now", () => {
  const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  assert.ok(readme.includes(settingsTable()), "run scripts/settings-schema.ts");
});
