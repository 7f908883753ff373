// A proposal as a port of the settings, ready to be pasted: only what differs from the defaults, and how to recognise the device.

import type { TtyInfo, TtySettings } from "#base/tty.ts";
import { suggestMatch } from "../match.ts";
import type { Interpretation, SettingsJson } from "./interpretation.ts";

export interface BlockPlace {
  readonly path: string;
  /** What is known of the device; undefined: its path only. */
  readonly device: TtyInfo | undefined;
  /** Every device that is there: what tells this one from them belongs into the match. */
  readonly devices: readonly TtyInfo[];
}

/** As `serial[]` has it. `name`: what the port shall be called. */
export function settingsBlock(
  name: string,
  place: BlockPlace,
  line: Omit<TtySettings, "rtscts">,
  { framing, decode, hasFields }: Pick<Interpretation, "framing" | "decode" | "hasFields">,
): SettingsJson {
  return {
    name,
    match: matchOf(place),
    baud_rate: line.baudRate,
    ...(line.dataBits === 8 ? {} : { data_bits: line.dataBits }),
    ...(line.parity === "none" ? {} : { parity: line.parity }),
    ...(line.stopBits === 1 ? {} : { stop_bits: line.stopBits }),
    framing,
    decode,
    subject: hasFields ? "sensors.{name}.{field}" : "sensors.{name}",
  };
}

/** A device without a name of its own goes by the path that was asked for, which may be a link that somebody chose with care. */
function matchOf({ path, device, devices }: BlockPlace): SettingsJson {
  const match = device === undefined ? { path } : suggestMatch(device, devices);
  return "path" in match ? { path } : match;
}

/** `/dev/ttyUSB0` → `ttyUSB0`: a name until somebody has a better one. */
export function nameFor(path: string): string {
  const last = path.split("/").at(-1) ?? "";
  return last.replaceAll(/[^A-Za-z0-9_-]/g, "-").slice(0, 64) || "port";
}
