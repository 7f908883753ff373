// Puts each fault where its mistake can be mended: at the setting itself, or at the nearest one above that the form shows.

import { effectiveAt, fieldAt } from "./edit-document.ts";
import { formatPath, type Json, type Path, parsePath } from "./json.ts";
import type { Shape } from "./shape.ts";

export interface Fault {
  readonly path: string;
  readonly kind: "invalid" | "missing" | "unknown" | "unsupported";
  readonly wanted: string;
  readonly found: string;
  readonly remedy: string;
}

export interface PlacedFault extends Fault {
  /** Where the form shows it; "": nowhere but above it all. */
  readonly at: string;
}

export function placeFaults(root: Shape, document: Json, faults: readonly Fault[]): readonly PlacedFault[] {
  return faults.map((fault) => ({ ...fault, at: formatPath(nearestShown(root, document, parsePath(fault.path))) }));
}

function nearestShown(root: Shape, document: Json, path: Path): Path {
  for (let length = 0; length < path.length; length++) {
    const step = path[length]!;
    if (!isShown(root, document, path.slice(0, length), step)) return path.slice(0, length);
  }
  return path;
}

function isShown(root: Shape, document: Json, above: Path, step: string | number): boolean {
  const value = effectiveAt(root, document, above);
  if (value === null) return false; // switched off
  if (typeof step === "number") return Array.isArray(value) && step < value.length;
  let shape: Shape | undefined = root;
  for (const [i, each] of above.entries()) {
    const inner = effectiveAt(root, document, above.slice(0, i));
    shape = typeof each === "number" ? itemOf(shape, inner) : fieldAt(shape, inner, each)?.shape;
  }
  return fieldAt(shape, value, step) !== undefined;
}

function itemOf(shape: Shape | undefined, value: Json | undefined): Shape | undefined {
  if (shape?.kind === "nullable") return itemOf(shape.inner, value);
  if (shape?.kind === "union") return shape.forms.map((form) => itemOf(form, value)).find((each) => each !== undefined);
  return shape?.kind === "list" ? shape.item : undefined;
}

/** Placed at `path` or beneath it. */
export function faultsBeneath(faults: readonly PlacedFault[], isBeneath: (at: string) => boolean): number {
  return faults.filter(({ at }) => isBeneath(at)).length;
}
