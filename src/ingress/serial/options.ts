// Serial devices: how to recognise one, how to talk to it, and what its bytes mean.

import type { Report } from "#base/fault.ts";
import {
  duration,
  fields,
  flag,
  integer,
  type Loose,
  later,
  list,
  nothing,
  nullable,
  oneOf,
  optional,
  required,
  size,
  type ValueOf,
} from "#base/schema.ts";
import { text, token } from "#base/schema-text.ts";
import { subjectTemplate } from "#core/subject-schema.ts";

const usbId = (what: string) =>
  nullable(text(`a USB ${what} id of four hex digits such as "0403"`, { pattern: "^[0-9a-fA-F]{4}$" }));

const matchOptions = fields(
  {
    vendor_id: optional(usbId("vendor"), null, "USB vendor id"),
    product_id: optional(usbId("product"), null, "USB product id"),
    serial_number: optional(nullable(text("a USB serial number", { bytesMax: 256 })), null, "USB serial number"),
    usb_port: optional(
      nullable(text('a USB port such as "1-1.4" or "1-1.4:1.2"', { pattern: "^[0-9]+-[0-9.]+(:[0-9]+\\.[0-9]+)?$" })),
      null,
      "where it is plugged in",
    ),
    path: optional(nullable(text('a path such as "/dev/ttyUSB0"', { pattern: "^/.+$" })), null, "path of the device file"),
  },
  (match, report) => {
    if (Object.values(match).some((value) => value !== null)) return;
    report.fault([], {
      wanted: "at least one of vendor_id, product_id, serial_number, usb_port, path",
      found: "none",
      remedy: "say how to recognise the device",
    });
  },
);

const FRAMING_LATER = [
  "delimiter",
  "fixed",
  "length_prefix",
  "cobs",
  "slip",
  "start_end",
  "idle_gap",
  "nmea",
  "modbus_rtu",
] as const;
const DECODE_LATER = ["csv", "regex", "struct", "nmea", "modbus"] as const;

export const serialPortOptions = fields(
  {
    name: required(token("a port name"), "what we call it, in subjects and on the page; unique"),
    match: required(matchOptions, "how to recognise it; what is null does not matter"),
    baud_rate: optional(integer(50, 4_000_000, "baud"), 9600, "speed of the line"),
    data_bits: optional(oneOf([5, 6, 7, 8]), 8, "bits a character"),
    parity: optional(oneOf(["none", "even", "odd"]), "none", "parity bit"),
    stop_bits: optional(oneOf([1, 2]), 1, "stop bits"),
    rtscts: optional(flag(), false, "hardware flow control"),
    framing: optional(
      fields({
        type: optional(oneOf(["line"], { later: FRAMING_LATER }), "line", "how the bytes are cut into frames"),
        max_frame: optional(size("1B", "1MiB"), "4KiB", "longest frame; a longer one is skipped and counted"),
      }),
      {},
      "how the bytes are cut into frames",
    ),
    decode: optional(
      fields({ type: optional(oneOf(["json", "text", "raw"], { later: DECODE_LATER }), "json", "what a frame means") }),
      {},
      "what a frame means",
    ),
    subject: optional(subjectTemplate(["name", "field"]), "sensors.{name}.{field}", "where its readings are published"),
    write_subject: later(nothing(), null, "messages on this subject are written to the device"),
    silence_after: optional(nullable(duration("1s", "30d")), "60s", "report the port as silent after this long without a frame"),
  },
  checkSubject,
);

export const serialOptions = list(serialPortOptions, { max: 64, check: checkNames });

export type SerialPortOptions = ValueOf<typeof serialPortOptions>;

/** Only JSON has fields: text and raw make one message a frame, whose subject must be whole without them. */
function checkSubject(
  port: NonNullable<Loose<{ readonly decode: { readonly type: string }; readonly subject: string }>>,
  report: Report,
): void {
  const type = port.decode?.type;
  if (type === undefined || type === "json" || !port.subject?.includes("{field}")) return;
  report.fault(["subject"], {
    wanted: `a subject without {field} for decode type "${type}"`,
    found: `"${port.subject}"`,
    remedy: 'write one such as "sensors.{name}", or decode as json',
  });
}

function checkNames(ports: readonly Loose<SerialPortOptions>[], report: Report): void {
  const seen = new Map<string, number>();
  for (const [i, port] of ports.entries()) {
    if (port?.name === undefined) continue;
    const earlier = seen.get(port.name);
    if (earlier !== undefined) {
      report.fault([i, "name"], {
        wanted: "a name of its own",
        found: `"${port.name}" again (serial[${earlier}])`,
        remedy: "rename one of the two",
      });
    }
    seen.set(port.name, earlier ?? i);
  }
}
