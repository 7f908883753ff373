// Serial devices: how to recognise one, how to talk to it, and what its bytes mean.

import { isDeepStrictEqual } from "node:util";
import { decode } from "#base/decode.ts";
import type { Report } from "#base/fault.ts";
import {
  fields,
  flag,
  integer,
  type Loose,
  list,
  nullable,
  oneOf,
  optional,
  required,
  type Schema,
  type ValueOf,
} from "#base/schema.ts";
import { text, token } from "#base/schema-text.ts";
import { subjectTemplate } from "#core/subject-schema.ts";
import { type DecodeType, decodeOptions } from "./decode-options.ts";
import { type FramingType, framingOptions } from "./framing-options.ts";
import { modbusOptions } from "./modbus/options.ts";
import { checkPairing } from "./pairing.ts";
import { placeholdersOf, SUBJECT_PLACEHOLDERS } from "./subject-template.ts";
import { watchKeys } from "./watch-options.ts";
import { writeKeys, writePayloadOptions } from "./write-options.ts";

const SUBJECT_DEFAULT = "sensors.{name}.{field}";

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

export const serialPortOptions = fields(
  {
    name: required(token("a port name"), "what we call it, in subjects and on the page; unique"),
    match: required(matchOptions, "how to recognise it; what is null does not matter"),
    baud_rate: optional(integer(50, 4_000_000, "baud"), 9600, "speed of the line"),
    data_bits: optional(oneOf([5, 6, 7, 8]), 8, "bits a character"),
    parity: optional(oneOf(["none", "even", "odd"]), "none", "parity bit"),
    stop_bits: optional(oneOf([1, 2]), 1, "stop bits"),
    rtscts: optional(flag(), false, "hardware flow control"),
    framing: optional(framingOptions, {}, "how the bytes are cut into frames"),
    decode: optional(decodeOptions, {}, "what a frame means"),
    subject: optional(
      subjectTemplate(SUBJECT_PLACEHOLDERS),
      SUBJECT_DEFAULT,
      "where its readings are published; {sentence} for nmea, {unit} for modbus that is listened to; a bus of our own has modbus.subject",
    ),
    ...writeKeys,
    ...watchKeys,
    modbus: optional(nullable(modbusOptions), null, "the port is a Modbus RTU bus, and we are its master; null: it is none"),
  },
  checkPort,
);

/** What a port has that says nothing of these. */
const BUS_LEAVES = {
  framing: defaultOf(framingOptions),
  decode: defaultOf(decodeOptions),
  subject: SUBJECT_DEFAULT,
  writePayload: defaultOf(writePayloadOptions),
  writeAnswer: null,
};

function defaultOf<T>(options: Schema<T>): T | undefined {
  const decoded = decode(options, {});
  return "value" in decoded ? decoded.value : undefined;
}

export const serialOptions = list(serialPortOptions, { max: 64, check: checkPorts });

export type SerialPortOptions = ValueOf<typeof serialPortOptions>;

/** What the checks look at; whatever did not decode is undefined. */
interface PortValue {
  readonly name: string | undefined;
  readonly framing: { readonly type?: FramingType | undefined } | undefined;
  readonly decode: { readonly type?: DecodeType | undefined } | undefined;
  readonly subject: string | undefined;
  readonly writeSubject: string | null | undefined;
  readonly writePayload: unknown;
  readonly writeAnswer: unknown;
  readonly modbus: unknown;
  readonly signalSubject: string | null | undefined;
}

function checkPort(port: PortValue, report: Report): void {
  if (isBus(port)) checkBus(port, report);
  else {
    checkPairing(port, report);
    checkSubject(port, report);
  }
  checkCommands(port, report);
}

function isBus({ modbus }: PortValue): boolean {
  return modbus !== null && modbus !== undefined;
}

/** A bus frames and decodes by itself: whatever else stands there would do nothing. */
function checkBus(port: PortValue, report: Report): void {
  const meant = { framing: "modbus", decode: "modbus.polls", subject: "modbus.subject" };
  for (const key of ["framing", "decode", "subject"] as const) {
    if (port[key] === undefined || isDeepStrictEqual(port[key], BUS_LEAVES[key])) continue;
    const remedy = `take it out: ${meant[key]} says it, or take modbus out`;
    report.fault([key], { wanted: `no ${key} on a Modbus bus of our own`, found: "one", remedy });
  }
  for (const key of ["writePayload", "writeAnswer"] as const) {
    if (port[key] === undefined || isDeepStrictEqual(port[key], BUS_LEAVES[key])) continue;
    const file = key === "writePayload" ? "write_payload" : "write_answer";
    const remedy = 'take it out: commands to a bus are JSON such as {"unit":1,"function":6,"address":16,"value":1200}';
    report.fault([file], { wanted: `no ${file} on a Modbus bus of our own`, found: "one", remedy });
  }
}

/** What a port says must not come back to it as a command, nor a command for its lines as bytes. */
function checkCommands(port: PortValue, report: Report): void {
  const { name, writeSubject: write, signalSubject: signal } = port;
  const whole = (subject: string | null | undefined) => subject?.replaceAll("{name}", name ?? "{name}");
  if (typeof write === "string" && whole(write) === whole(signal)) {
    const remedy = `choose another, such as "${write}.lines"`;
    report.fault(["signal_subject"], { wanted: "a subject of its own", found: `"${signal}", the write_subject`, remedy });
  }
  for (const [key, subject] of [["write_subject", write] as const, ["signal_subject", signal] as const]) {
    if (typeof subject !== "string" || whole(subject) !== whole(port.subject)) continue;
    const remedy = "what the device says would be written to it; choose another";
    report.fault([key], { wanted: "another subject than that of the readings", found: `"${subject}"`, remedy });
  }
}

/** Each decoder knows what it can name: text and raw make one message a frame, whose subject must be whole without a field. */
function checkSubject(port: PortValue, report: Report): void {
  const type = port.decode?.type;
  const { subject } = port;
  if (type === undefined || subject === undefined) return;
  const known = placeholdersOf(type);
  const stray = SUBJECT_PLACEHOLDERS.find((each) => subject.includes(`{${each}}`) && !known.includes(each));
  if (stray === undefined) return;
  report.fault(["subject"], {
    wanted: `a subject without {${stray}} for decode type "${type}"`,
    found: `"${subject}"`,
    remedy: stray === "field" ? 'write one such as "sensors.{name}", or decode as json' : `take {${stray}} out`,
  });
}

function checkPorts(ports: readonly Loose<SerialPortOptions>[], report: Report): void {
  const names = new Map<string, number>();
  const matches = new Map<string, number>();
  for (const [i, port] of ports.entries()) {
    const { name, match } = port ?? {};
    const earlier = name === undefined ? undefined : earlierOf(names, name, i);
    if (earlier !== undefined) {
      const found = `"${name}" again (serial[${earlier}])`;
      report.fault([i, "name"], { wanted: "a name of its own", found, remedy: "rename one of the two" });
    }
    const key = match === undefined ? undefined : matchKey(match);
    const twin = key === undefined ? undefined : earlierOf(matches, key, i);
    if (twin !== undefined) {
      const remedy = "one device serves one port; say which is which by serial_number or usb_port";
      report.fault([i, "match"], { wanted: "a device of its own", found: `that of serial[${twin}]`, remedy });
    }
  }
}

/** Equal for matches that ask for the same (the digits of USB ids are hex in either case); undefined for one with faults of its own. */
function matchKey(match: NonNullable<Loose<SerialPortOptions["match"]>>): string | undefined {
  const wanted = Object.values(match);
  if (wanted.includes(undefined) || wanted.every((each) => each === null)) return undefined;
  return JSON.stringify({ ...match, vendorId: match.vendorId?.toLowerCase(), productId: match.productId?.toLowerCase() });
}

/** Where the key was seen before; else it is remembered. */
function earlierOf(seen: Map<string, number>, key: string, at: number): number | undefined {
  const earlier = seen.get(key);
  if (earlier === undefined) seen.set(key, at);
  return earlier;
}
