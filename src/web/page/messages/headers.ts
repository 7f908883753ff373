// Headers as they are typed: one per line, `Name: value`.

/** undefined: a line is none. */
export function parseHeaders(typed: string): Readonly<Record<string, string>> | undefined {
  const fields = new Map<string, string>();
  for (const line of typed.split("\n")) {
    if (line.trim() === "") continue;
    const colon = line.indexOf(":");
    if (colon < 1) return undefined;
    fields.set(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
  }
  return Object.fromEntries(fields);
}
