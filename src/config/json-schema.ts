// The settings as JSON Schema (draft 2020-12), for editors. Written to settings.schema.json by scripts/settings-schema.ts.

import { wantsOf } from "#base/decode.ts";
import { DURATION_PATTERN, SIZE_PATTERN } from "#base/quantity.ts";
import type { FieldNode, Json, Node } from "#base/schema.ts";
import { settingsSchema } from "./settings.ts";

type JsonSchema = { [key: string]: Json };

export function settingsJsonSchema(): JsonSchema {
  const root = describe(settingsSchema.node);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Petiole settings",
    ...root,
    properties: { $schema: { type: "string" }, ...(root["properties"] as JsonSchema) },
  };
}

function describe(node: Node): JsonSchema {
  switch (node.kind) {
    case "fields": {
      const required = Object.keys(node.fields).filter((key) => node.fields[key]!.isRequired);
      const properties = Object.fromEntries(Object.entries(node.fields).map(([key, field]) => [key, describeField(field)]));
      return { type: "object", properties, ...(required.length === 0 ? {} : { required }), additionalProperties: false };
    }
    case "list":
      return { type: "array", items: describe(node.item), minItems: node.min, maxItems: node.max };
    case "nullable":
      return node.inner.kind === "nothing" ? { type: "null" } : { anyOf: [describe(node.inner), { type: "null" }] };
    case "either":
      return { anyOf: [node.flag, node.text, node.list, node.object].filter((form) => form !== null).map(describe) };
    case "mapped":
      return describe(node.inner);
    case "choice":
      return { enum: [...node.values] };
    case "number":
      return { type: node.isWhole ? "integer" : "number", minimum: node.min, maximum: node.max };
    case "quantity":
      return {
        type: "string",
        pattern: node.of === "duration" ? DURATION_PATTERN : SIZE_PATTERN,
        description: `a ${node.of} from ${node.min} to ${node.max}`,
      };
    case "flag":
      return { type: "boolean" };
    case "nothing":
      return { type: "null" };
    case "text":
      return {
        type: "string",
        minLength: 1,
        maxLength: node.bytesMax,
        ...(node.pattern === undefined ? {} : { pattern: node.pattern }),
        ...(node.secret === "whole" ? { writeOnly: true } : {}),
        description: wantsOf(node),
      };
  }
}

function describeField(field: FieldNode): JsonSchema {
  const fallback: JsonSchema = field.fallback === undefined ? {} : { default: field.fallback };
  if (field.isLater) return { const: field.fallback ?? null, ...fallback, description: `${field.help} (not supported yet)` };
  return { ...describe(field.schema), ...fallback, description: field.help };
}
