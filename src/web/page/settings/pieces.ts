// The pieces of the form hold each other: a list holds settings, and a setting can be a list. So they find each other here, and not by
// importing in a circle.

import { type ComponentType, createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Path } from "./json.ts";
import type { Field, Shape } from "./shape.ts";

export interface PieceProps {
  readonly path: Path;
  readonly field: Field;
  /** Depth of its heading. */
  readonly level: number;
}

export interface ShapedProps extends PieceProps {
  /** The field's own, or what is inside of it. */
  readonly shape: Shape;
}

export interface Pieces {
  readonly Setting: ComponentType<PieceProps>;
  readonly Shaped: ComponentType<ShapedProps>;
}

export const PiecesContext = createContext<Pieces | undefined>(undefined);

export function usePieces(): Pieces {
  const pieces = useContext(PiecesContext);
  if (pieces === undefined) throw new Error("used outside of the settings' form");
  return pieces;
}
