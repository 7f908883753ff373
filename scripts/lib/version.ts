// Versions of programs we fetch as "2.10.27", and lines of versions as "2.10".

/** A released version: numbers only. Previews ("2.15.0-RC.2") are not releases. */
export type Version = string;

/** "v2.10.27", "2.10.27-1+b2", "1:10.0.2+ds-2", "2.10.27~rc1-1" → its upstream release, or undefined for a preview or something else. */
export function parseVersion(text: string): Version | undefined {
  const found = /^v?(?:\d+:)?(\d+\.\d+\.\d+)(?=$|-\d|\+)/.exec(text.trim());
  return found?.[1];
}

/** Whether `version` is `line` itself ("2.10.27") or belongs to it ("2.10"). */
export function isOfLine(version: Version, line: string): boolean {
  return version === line || version.startsWith(`${line}.`);
}

/** Ascending by number, not by letter: 2.9.0 before 2.10.0. */
export function compareVersions(a: Version, b: Version): number {
  const left = a.split(".").map(Number);
  const right = b.split(".").map(Number);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The newest of those that belong to the line. */
export function newestOfLine(versions: readonly Version[], line: string): Version | undefined {
  return versions
    .filter((version) => isOfLine(version, line))
    .sort(compareVersions)
    .at(-1);
}
