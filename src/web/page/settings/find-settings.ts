// Search: every word must occur in a setting's path, name or help. Settings of list items are found in each item that is there.

import { bare, effectiveAt } from "./edit-document.ts";
import { formatPath, isList, type Json, type Path } from "./json.ts";
import type { Field, Shape } from "./shape.ts";

export interface Hit {
  readonly path: Path;
  readonly field: Field;
}

export const HITS_MAX = 40;

export function findSettings(
  root: Shape,
  document: Json,
  query: string,
): { readonly hits: readonly Hit[]; readonly more: number } {
  const words = query
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  if (words.length === 0) return { hits: [], more: 0 };
  const hits: (Hit & { readonly rank: number })[] = [];
  for (const hit of settingsIn(root, document, [])) {
    const key = hit.field.key.replaceAll("_", " ");
    const name = formatPath(hit.path)
      .toLowerCase()
      .replaceAll(/[_.[\]]+/g, " ");
    const text = `${formatPath(hit.path)} ${name} ${hit.field.help}`.toLowerCase();
    if (!words.every((word) => text.includes(word))) continue;
    const starts = (within: string) => words.every((word) => ` ${within}`.includes(` ${word}`));
    hits.push({ ...hit, rank: starts(key) ? 0 : starts(name) ? 1 : words.every((word) => name.includes(word)) ? 2 : 3 });
  }
  const ordered = hits.sort((a, b) => a.rank - b.rank); // stable: the schema's order within a rank
  return { hits: ordered.slice(0, HITS_MAX), more: Math.max(0, ordered.length - HITS_MAX) };
}

/** What is a value of its own in the form: not the objects around it, unless they can be off. */
function* settingsIn(shape: Shape, document: Json | undefined, path: Path): Generator<Hit> {
  const inner = bare(shape, document);
  if (inner.kind === "list" && isList(document)) {
    for (const [i, item] of document.entries()) yield* settingsIn(inner.item, item, [...path, i]);
  } else if (inner.kind === "object") {
    for (const field of inner.fields) {
      const below = effectiveAt(inner, document ?? {}, [field.key]);
      const place = [...path, field.key];
      if (field.shape.kind !== "object") yield { path: place, field };
      if (below !== null) yield* settingsIn(field.shape, below, place);
    }
  }
}
