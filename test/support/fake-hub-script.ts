// The language of FakeHub's scenes (drawn in fake-hub.ts): text → what to do, line by line.

export type ScriptLine =
  | { readonly does: "send"; readonly bytes: Buffer }
  | { readonly does: "expect"; readonly pattern: RegExp; readonly text: string }
  | { readonly does: "close" }
  | { readonly does: "expect-close" };

export function parseScript(script: string): ScriptLine[] {
  return script.split("\n").flatMap((raw) => {
    const line = raw.trim();
    return line === "" ? [] : [parseLine(line)];
  });
}

function parseLine(line: string): ScriptLine {
  if (line === ">!") return { does: "close" };
  if (line === "<!") return { does: "expect-close" };
  const text = line.slice(1).replace(/^ /, "");
  if (line.startsWith(">")) return { does: "send", bytes: Buffer.concat([unescaped(text), Buffer.from("\r\n")]) };
  if (line.startsWith("<")) return { does: "expect", pattern: patternOf(text), text };
  throw new Error(`a scene's lines begin with > or <, not: ${line}`);
}

/** `…` is anything, `/…/` a pattern, all else is meant word for word. */
function patternOf(text: string): RegExp {
  const pattern = /^\/(.*)\/$/.exec(text)?.[1];
  if (pattern !== undefined) return new RegExp(pattern);
  return new RegExp(`^${text.split("…").map(RegExp.escape).join(".*")}$`, "s");
}

/** `\r \n \t \0 \\ \xHH` → bytes; the rest is UTF-8. */
function unescaped(text: string): Buffer {
  const parts = text.split(/(\\x[0-9a-fA-F]{2}|\\[rnt0\\])/);
  const named: Readonly<Record<string, number>> = { "\\r": 13, "\\n": 10, "\\t": 9, "\\0": 0, "\\\\": 92 };
  return Buffer.concat(
    parts.map((part, index) => {
      if (index % 2 === 0) return Buffer.from(part);
      return Buffer.of(named[part] ?? Number.parseInt(part.slice(2), 16));
    }),
  );
}
