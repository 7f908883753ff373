// Finding a place in the settings by path: in the schema, and in a document (where what is not written yet is grown).

import type { Path } from "#base/fault.ts";
import type { FieldNode, Json, Node } from "#base/schema.ts";

/** A document while it is being changed. */
export type Draft = null | boolean | number | string | Draft[] | { [key: string]: Draft };

/** What the schema says of a place: the node, and its fallback if it is a key of an object. */
export interface Place {
  readonly node: Node;
  readonly field: FieldNode | undefined;
}

/** undefined: the schema has no such place. */
export function findPlace(root: Node, path: Path): Place | undefined {
  let place: Place = { node: root, field: undefined };
  for (const step of path) {
    const next = childOf(container(place.node, typeof step === "number" ? "list" : "fields"), step);
    if (next === undefined) return undefined;
    place = next;
  }
  return place;
}

/** The keys there are at a place; empty if it is no object. */
export function keysAt(root: Node, path: Path): readonly string[] {
  const place = findPlace(root, path);
  const node = place === undefined ? undefined : container(place.node, "fields");
  return node?.kind === "fields" ? Object.keys(node.fields) : [];
}

/** Looks through what wraps a container: `null` beside it, other forms of it, a map over it. */
function container(node: Node, kind: "fields" | "list"): Node | undefined {
  switch (node.kind) {
    case "nullable":
    case "mapped":
      return container(node.inner, kind);
    case "either": {
      const form = kind === "list" ? node.list : node.object;
      return form === null ? undefined : container(form, kind);
    }
    default:
      return node.kind === kind ? node : undefined;
  }
}

function childOf(node: Node | undefined, step: string | number): Place | undefined {
  if (node?.kind === "list") return { node: node.item, field: undefined };
  if (node?.kind !== "fields" || typeof step !== "string" || !Object.hasOwn(node.fields, step)) return undefined;
  const field = node.fields[step]!;
  return { node: field.schema, field };
}

/**
 * Puts `value` at `path`. Containers on the way that are absent or null come from the schema's defaults, so that changing one
 * key of a default list keeps its other keys. Returns what stands in the way, or undefined when done.
 */
export function setAt(document: { [key: string]: Draft }, root: Node, path: Path, value: Json): string | undefined {
  let parent: Draft = document;
  for (const [depth, step] of path.entries()) {
    if (
      Array.isArray(parent) ? typeof step !== "number" : typeof parent !== "object" || parent === null || typeof step === "number"
    ) {
      return "the file has something else there";
    }
    if (Array.isArray(parent) && (step as number) > parent.length)
      return `the list has ${parent.length} entries, so the next number is ${parent.length}`;
    const children = parent as { [key: string]: Draft };
    if (depth === path.length - 1) {
      children[step] = structuredClone(value) as Draft;
      return undefined;
    }
    const isList: boolean = typeof path[depth + 1] === "number";
    if (children[step] === undefined || children[step] === null) {
      const fallback = findPlace(root, path.slice(0, depth + 1))?.field?.fallback;
      children[step] = structuredClone(fallback ?? (isList ? [] : {})) as Draft;
    }
    parent = children[step]!;
  }
  return "there is nothing to set";
}
