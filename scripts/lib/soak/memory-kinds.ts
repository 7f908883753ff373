// What the resident memory of the daemon is made of, in bytes, by the kernel's map of it (proc(5), smaps) and V8's own word.
//
//   RSS = program (node itself) + other files + V8's heap + malloc's heap + other anonymous pages + stacks

import * as fs from "node:fs/promises";

export interface MemoryKinds {
  readonly rss: number;
  /** Node's own file: mapped, shared by all that run it, dropped by the kernel when it needs room. */
  readonly program: number;
  /** Libraries and whatever else is mapped from files. */
  readonly files: number;
  /** As V8 says; with its compiled code. */
  readonly v8: number;
  /** Grown by brk: malloc's main arena. */
  readonly malloc: number;
  /** Buffers, malloc's other arenas, WebAssembly. */
  readonly anonymous: number;
  readonly stacks: number;
}

export async function readMemoryKinds(pid: number, v8Bytes: number): Promise<MemoryKinds> {
  return memoryKindsOf(await fs.readFile(`/proc/${pid}/smaps`, "latin1"), v8Bytes);
}

export function memoryKindsOf(smaps: string, v8Bytes: number): MemoryKinds {
  const sums = { rss: 0, program: 0, files: 0, malloc: 0, anonymous: 0, stacks: 0 };
  let kind: Exclude<keyof typeof sums, "rss"> = "anonymous";
  for (const line of smaps.split("\n")) {
    const mapping = /^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+\s*(.*)$/.exec(line);
    if (mapping !== null) kind = kindOf(mapping[1]!);
    const rss = /^Rss:\s*(\d+) kB/.exec(line)?.[1];
    if (rss === undefined) continue;
    sums[kind] += Number(rss) * 1024;
    sums.rss += Number(rss) * 1024;
  }
  return { ...sums, v8: v8Bytes, anonymous: Math.max(0, sums.anonymous - v8Bytes) };
}

function kindOf(name: string): "program" | "files" | "malloc" | "anonymous" | "stacks" {
  if (/\/node$/.test(name)) return "program";
  if (name.startsWith("/")) return "files";
  if (name === "[heap]") return "malloc";
  return name.startsWith("[stack") ? "stacks" : "anonymous";
}

export function memoryLine({ rss, program, files, v8, malloc, anonymous, stacks }: MemoryKinds): string {
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)}`;
  return `RSS ${mib(rss)} MiB: node's own file ${mib(program)}, other files ${mib(files)}, V8's heap ${mib(v8)}, malloc ${mib(malloc)}, other anonymous ${mib(anonymous)}, stacks ${mib(stacks)}`;
}
