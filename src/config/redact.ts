// A settings document fit to be shown: secrets become `***`. So does whatever the schema does not know or does not accept in
// that place, because a mistyped key may well hold a password; and a key that somebody has put where the path of its file is wanted.

import { decode, isObject } from "#base/decode.ts";
import type { Json, Node } from "#base/schema.ts";
import { hideUserInfo, holdsKey, SECRET_SHOWN } from "#base/secret.ts";
import { settingsSchema } from "./settings.ts";

export function redactSettings(document: unknown): Json {
  return redact(settingsSchema.node, document);
}

function redact(node: Node, json: unknown): Json {
  switch (node.kind) {
    case "fields":
      if (!isObject(json)) return json === null ? null : SECRET_SHOWN;
      return Object.fromEntries(
        Object.entries(json).map(([key, value]) => {
          const field = Object.hasOwn(node.fields, key) ? node.fields[key] : undefined;
          return [key, field === undefined ? SECRET_SHOWN : redact(field.schema, value)];
        }),
      );
    case "list":
      return Array.isArray(json) ? json.map((item) => redact(node.item, item)) : json === null ? null : SECRET_SHOWN;
    case "nullable":
    case "mapped":
      return json === null ? null : redact(node.inner, json);
    case "either": {
      const form = Array.isArray(json)
        ? node.list
        : isObject(json)
          ? node.object
          : typeof json === "boolean"
            ? node.flag
            : node.text;
      return form === null ? SECRET_SHOWN : redact(form, json);
    }
    default:
      return redactLeaf(node, json);
  }
}

function redactLeaf(node: Node, json: unknown): Json {
  if (json === null) return null;
  if (node.kind === "text" && node.secret === "whole") return SECRET_SHOWN;
  if (decode({ node }, json).faults.length > 0) return SECRET_SHOWN;
  if (typeof json !== "string") return json as Json;
  return holdsKey(json) ? SECRET_SHOWN : hideUserInfo(json);
}
