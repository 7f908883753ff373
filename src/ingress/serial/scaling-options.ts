// How a value that a device sends is named and scaled, whatever found it in the frame: a column, a group, a few bytes, a register.

import { nullable, number, optional } from "#base/schema.ts";
import { text } from "#base/schema-text.ts";

export const scalingKeys = {
  scale: optional(number(-1e9, 1e9), 1, "what the number is multiplied by"),
  add: optional(number(-1e12, 1e12), 0, "what is added after that"),
  unit: optional(nullable(text("a unit such as V", { bytesMax: 32 })), null, "unit of the value, told with it"),
};

export function valueName() {
  return text("a name for the value", { bytesMax: 128 });
}
