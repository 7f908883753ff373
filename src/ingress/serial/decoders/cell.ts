// One value that a device writes as text, and what JSON makes of it.
//
//   written        auto       number     text
//   21.40          21.40      21.40      "21.40"
//   +7, .5         7, 0.5     7, 0.5     "+7", ".5"
//   007            "007"      7          "007"        zeros in front make it look like a name
//   nan            null       null       "nan"        JSON has no number for it
//   open           "open"     a fault    "open"

import type { CellOptions } from "../decode-options.ts";
import type { Field } from "./field.ts";
import { Scaling } from "./scaling.ts";

export interface Cell {
  readonly field: Field;
  /** The value as JSON; undefined: it is not what the settings say it is. */
  toJson(text: string): string | undefined;
}

export function makeCell(options: CellOptions, decimal: "." | ","): Cell {
  const { name, unit, scale, add, type } = options;
  const scaling = new Scaling(scale, add);
  const withPoint = (text: string): string => (decimal === "." ? text : text.includes(".") ? "" : text.replace(",", "."));
  const field: Field = { name, unit, scale, add };
  switch (type) {
    case "text":
      return { field, toJson: (text) => JSON.stringify(text) };
    case "number":
      return {
        field,
        toJson: (text) => scaling.ofText(withPoint(text)) ?? (/^[+-]?(?:nan|inf|infinity)$/i.test(text) ? "null" : undefined),
      };
    case "auto":
      return {
        field,
        toJson: (text) => {
          if (/^[+-]?0\d/.test(text)) return JSON.stringify(text);
          return scaling.ofText(withPoint(text)) ?? (/^nan$/i.test(text) ? "null" : JSON.stringify(text));
        },
      };
  }
}
