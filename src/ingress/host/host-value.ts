// One thing that the device knows of itself, at one moment.

export interface HostValue {
  /** `cpu_load`, `eth0_received`: lower case, fit for a subject token and a JSON member. */
  readonly name: string;
  readonly value: number | string | boolean;
  /** "%", "°C", "B", "s" …; null: it has none. */
  readonly unit: string | null;
  /** A smaller change is noise, whatever its share: half a degree is. */
  readonly noise: number;
}

/** `digits`: how many behind the point mean something. */
export function quantity(name: string, value: number, unit: string, digits = 0, noise = 0): HostValue {
  const factor = 10 ** digits;
  return { name: nameOf(name), value: Math.round(value * factor) / factor, unit, noise };
}

export function state(name: string, value: string | boolean): HostValue {
  return { name: nameOf(name), value, unit: null, noise: 0 };
}

/** Names of interfaces and sensors come from the kernel: all but letters and digits becomes `_`. */
export function nameOf(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "_")
    .replaceAll(/^_+|_+$/g, "")
    .slice(0, 64);
}
