// The name a file gets on the device: its own, as far as that can be one, and never that of a file that is there already.

const CHARS_MAX = 64;
const MORE_MAX = 1000;

export function secretName(fileName: string, taken: ReadonlySet<string>): string {
  const plain = fileName
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, CHARS_MAX - 5);
  const name = plain === "" ? "file" : plain;
  if (!taken.has(name)) return name;
  const dot = name.lastIndexOf(".");
  const [stem, end] = dot <= 0 ? [name, ""] : [name.slice(0, dot), name.slice(dot)];
  for (let i = 2; i < MORE_MAX; i++) if (!taken.has(`${stem}-${i}${end}`)) return `${stem}-${i}${end}`;
  return name; // the device refuses what it cannot take
}
