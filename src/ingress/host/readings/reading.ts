// What every reading promises: it looks at one side of the device and says what it found. Absent files are absent values.

import type { TimeKeeper } from "#base/time-keeper.ts";
import type { HostMachine } from "../host-machine.ts";
import type { HostValue } from "../host-value.ts";

export interface ReadingContext {
  readonly machine: HostMachine;
  readonly time: Pick<TimeKeeper, "isTrusted" | "fault">;
  /** The folder whose disk matters. */
  readonly dataDir: string;
}

export interface HostReading {
  /** For the log: "cpu", "network". */
  readonly name: string;
  /** May reject or never end: whoever calls it guards against both. */
  read(context: ReadingContext): Promise<readonly HostValue[]>;
}

/** A whole number in the file, or undefined. */
export async function readNumber({ machine }: ReadingContext, path: string): Promise<number | undefined> {
  const text = await machine.files.read(path);
  return text === undefined || !/^-?\d+$/.test(text) ? undefined : Number(text);
}
