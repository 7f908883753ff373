// What every part of the bench says beside its figures: machine, versions, how busy the machine was.

import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { ROOT } from "../suites.ts";
import { mosquittoVersion } from "./mosquitto-bridge.ts";

export interface PartFacts {
  readonly machine: Readonly<Record<string, string | number>>;
  readonly versions: Readonly<Record<string, string>>;
}

/** Called before the measuring; what it returns is called after it. */
export function watchMachine(natsServer: string): () => Promise<PartFacts> {
  const loadBefore = os.loadavg()[0]!;
  return async () => {
    const { version } = JSON.parse(await fs.readFile(path.join(ROOT, "package.json"), "utf8")) as { version: string };
    return {
      machine: {
        cpu: os.cpus()[0]?.model ?? "unknown",
        processors: os.availableParallelism(),
        memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
        kernel: os.release(),
        "load average before": loadBefore.toFixed(2),
        after: os.loadavg()[0]!.toFixed(2),
      },
      versions: {
        petiole: version,
        node: process.version,
        "nats-server": natsServer,
        mosquitto: (await mosquittoVersion()) ?? "not installed",
      },
    };
  };
}

export function factsLine({ machine, versions }: PartFacts): string {
  return Object.entries({ ...versions, ...machine })
    .map(([name, value]) => `${name} ${value}`)
    .join(" · ");
}

/** Rows of cells, the first row their titles, in columns. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join("  "),
    )
    .join("\n");
}
