// What a hub can do, by its version. Source: spec/leafnode-protocol.md §19.

/** First version that isolates a spoke which asks for it. */
export const ISOLATION_SINCE = "2.12";

export function understandsIsolation(version: string): boolean {
  const [major, minor] = numbersOf(version);
  return major > 2 || (major === 2 && minor >= 12);
}

/** Does the hub check what a spoke publishes, and end the link for what it may not? Since 2.11.16, 2.12.7 and 2.14.0. */
export function enforcesPublish(version: string): boolean {
  const [major, minor, patch] = numbersOf(version);
  if (major !== 2) return major > 2;
  if (minor === 11) return patch >= 16;
  if (minor === 12) return patch >= 7;
  return minor > 12;
}

/** A version nobody can read counts as the newest: its hub is taken to be able, and strict. */
function numbersOf(version: string): readonly [major: number, minor: number, patch: number] {
  const [, major, minor, patch] = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  return major === undefined ? [Number.POSITIVE_INFINITY, 0, 0] : [Number(major), Number(minor), Number(patch)];
}
