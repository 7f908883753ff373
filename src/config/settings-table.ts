// The settings as a Markdown table, for the README.

import type { FieldNode, Json, Node } from "#base/schema.ts";
import { settingsSchema } from "./settings.ts";

/** One line a key: key, type and range, default, help. */
export function settingsTable(): string {
  const head = ["| key | takes | default | what it does |", "|---|---|---|---|"];
  return `${[...head, ...rows(settingsSchema.node, "")].join("\n")}\n`;
}

function rows(node: Node, prefix: string): string[] {
  switch (node.kind) {
    case "fields":
      return Object.entries(node.fields).flatMap(([key, field]) => [
        row(`${prefix}${key}`, field),
        ...(field.isLater ? [] : rows(field.schema, `${prefix}${key}.`)),
      ]);
    case "list":
      return rows(node.item, `${prefix.slice(0, -1)}[].`);
    case "nullable":
    case "mapped":
      return rows(node.inner, prefix);
    case "either":
      return node.object === null ? [] : rows(node.object, prefix);
    default:
      return [];
  }
}

function row(key: string, field: FieldNode): string {
  const cells = [
    code(key),
    field.isLater ? "*not yet*" : takes(field.schema),
    field.isRequired ? "*required*" : code(JSON.stringify(field.fallback)),
    field.help,
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function takes(node: Node): string {
  switch (node.kind) {
    case "fields":
      return "object";
    case "list":
      return `list of ${takes(node.item)}`;
    case "nullable":
      return `${takes(node.inner)}, null`;
    case "mapped":
      return takes(node.inner);
    case "either":
      return [node.flag, node.text, node.list, node.object]
        .filter((form) => form !== null)
        .map(takes)
        .join(" or ");
    case "choice":
      return node.values.map((value: Json) => code(JSON.stringify(value))).join(" ");
    case "number":
      return `${node.isWhole ? "integer" : "number"} ${node.min}–${node.max}${node.unit === "" ? "" : ` ${node.unit}`}`;
    case "quantity":
      return `${node.of} ${node.min}–${node.max}`;
    case "flag":
      return code("true false");
    case "nothing":
      return "null";
    case "text":
      return node.secret === "whole" ? "text, secret" : "text";
  }
}

function code(text: string): string {
  return `\`${text}\``;
}
