// Framings and decoders that do not go together.

import type { Report } from "#base/fault.ts";
import type { DecodeType } from "./decode-options.ts";
import type { FramingType } from "./framing-options.ts";

interface Paired {
  readonly framing?: { readonly type?: FramingType | undefined } | undefined;
  readonly decode?: { readonly type?: DecodeType | undefined } | undefined;
}

/** Registers are read out of frames whose checksum was looked at and taken off. */
export function checkPairing({ framing, decode }: Paired, report: Report): void {
  if (decode?.type !== "modbus" || framing?.type === undefined || framing.type === "modbus_rtu") return;
  report.fault(["decode", "type"], {
    wanted: 'framing type "modbus_rtu" with it',
    found: `framing type "${framing.type}"`,
    remedy: 'choose framing "modbus_rtu" to listen on a bus, or "modbus" beside "framing" to be its master',
  });
}
