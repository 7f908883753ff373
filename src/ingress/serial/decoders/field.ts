// One value of a reading, as the settings or a standard describe it: what it is called and what it measures.
// Fields are made once, with the decoder; their identity is what subjects and headers are remembered by.

export interface Field {
  readonly name: string;
  /** "V", "°C"; null: none, or not known. */
  readonly unit: string | null;
  /** What a count of the device is worth, and what is added to it: value = count × scale + add. Already applied to the value. */
  readonly scale: number;
  readonly add: number;
}

/** A field as a standard knows it, without any scaling of ours. */
export function plainField(name: string, unit: string | null = null): Field {
  return { name, unit, scale: 1, add: 0 };
}
