// Reads what apt's own configuration says about archives and who signs them, and writes one source of our own. Pure text.

export interface AptSource {
  /** Address of the archive, exactly as the machine names it (may be a mirror list). */
  readonly base: string;
  readonly suite: string;
  /** The suite the machine itself is installed from. */
  readonly ownSuite: string;
  readonly components: string;
  readonly architecture: string;
  /** Value of `Signed-By`: a keyring's path or the key itself over several lines; undefined = the keys apt trusts anyway. */
  readonly signedBy: string | undefined;
}

/** From `apt-get --print-uris update`: every archive and suite in use. */
export function archivesIn(printedUris: string): { base: string; suite: string }[] {
  return [...printedUris.matchAll(/^'(.+?)\/dists\/([^']+)\/InRelease'/gm)].map((found) => ({
    base: found[1]!,
    suite: found[2]!,
  }));
}

/** The `Signed-By` that the machine's sources give for an archive, in either of apt's two formats. */
export function signedBy(sourceFiles: readonly string[], base: string): string | undefined {
  for (const text of sourceFiles) {
    for (const paragraph of text.split(/\n\s*\n/)) {
      const lines = paragraph.split("\n").filter((line) => !line.startsWith("#"));
      if (!lines.some((line) => namesArchive(line, base))) continue;
      const value = fieldOf(lines) ?? oneLineOption(lines, base);
      if (value !== undefined) return value;
    }
  }
  return undefined;
}

/** Whether one of the words of the line is the archive's address. */
function namesArchive(line: string, base: string): boolean {
  return line.split(/[\s=]+/).some((word) => word.replace(/^URIs:/i, "").replace(/\/+$/, "") === base.replace(/\/+$/, ""));
}

/** `Signed-By:` of a stanza, with the indented lines that continue it. */
function fieldOf(lines: readonly string[]): string | undefined {
  const start = lines.findIndex((line) => /^Signed-By:/i.test(line));
  if (start < 0) return undefined;
  const end = lines.findIndex((line, index) => index > start && !/^[ \t]/.test(line));
  const [first, ...rest] = lines.slice(start, end < 0 ? undefined : end);
  return [first!.replace(/^Signed-By:\s*/i, ""), ...rest].join("\n").trimEnd();
}

/** `deb [arch=amd64 signed-by=/path] http://… suite main`. */
function oneLineOption(lines: readonly string[], base: string): string | undefined {
  const line = lines.find((candidate) => candidate.startsWith("deb") && namesArchive(candidate, base));
  return line === undefined ? undefined : /\[[^\]]*signed-by=([^\s\]]+)/i.exec(line)?.[1];
}

/** Our one source, in apt's newer format. `Targets` keeps apt from reading more than the list of packages. */
export function stanza(source: AptSource): string {
  const fields = [
    "Types: deb",
    `URIs: ${source.base}`,
    `Suites: ${source.suite}`,
    `Components: ${source.components}`,
    `Architectures: ${source.architecture}`,
    "Targets: Packages",
    ...(source.signedBy === undefined ? [] : [`Signed-By: ${source.signedBy}`]),
  ];
  return `${fields.join("\n")}\n`;
}
