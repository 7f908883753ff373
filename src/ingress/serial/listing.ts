// The serial devices that are there, who has them, and which settings would recognise them again: `petiole serial list`, and the page.

import { explain, isFault } from "#base/errors.ts";
import type { Tty, TtyInfo } from "#base/tty.ts";
import { assignDevices, identityOf, suggestMatch } from "./match.ts";
import type { SerialPortOptions } from "./options.ts";

export interface ListedDevice {
  readonly path: string;
  /** Stable as long as the device, or its plug, is the same. */
  readonly identity: string;
  readonly product: string | null;
  readonly driver: string | null;
  readonly vendor_id: string | null;
  readonly product_id: string | null;
  readonly serial_number: string | null;
  readonly usb_port: string | null;
  readonly usb_interface: string | null;
  /** The port of the settings that it serves or would serve; null: none. */
  readonly port: string | null;
  /** What the running daemon says of that port; null: no daemon, or no port. */
  readonly state: string | null;
  /** The program that has it, ours included; null: nobody, as far as we may see. */
  readonly holder: string | null;
  /** For `serial[].match`. */
  readonly match: Readonly<Record<string, string>>;
}

export interface SerialListing {
  readonly devices: readonly ListedDevice[];
  /** Ports of the settings that have no device, and why. */
  readonly missing: readonly { readonly port: string; readonly code: string; readonly cause: string }[];
  /** Why devices are not listed, but for those whose path the settings name; null: they are. */
  readonly fault: string | null;
}

/** What is taken of a port's status. */
interface PortSeen {
  readonly name: string;
  readonly path: string | null;
  readonly state: string;
}

export interface ListSources {
  readonly tty: Tty;
  /** The ports of the settings; empty when these could not be read. */
  readonly ports: readonly SerialPortOptions[];
  /** What the running daemon says of its ports; undefined without one. */
  readonly report: { readonly serial: readonly PortSeen[] } | undefined;
}

export async function listSerial({ tty, ports, report }: ListSources): Promise<SerialListing> {
  let devices: readonly TtyInfo[] = [];
  let fault: string | null = null;
  try {
    devices = await tty.list();
  } catch (error) {
    if (!isFault(error)) throw error;
    fault = explain(error);
  }
  const byPath = new Map<string, TtyInfo>();
  for (const { match } of ports) {
    const found = match.path === null ? undefined : await tty.find(match.path);
    if (match.path !== null && found !== undefined) byPath.set(match.path, found);
  }
  const isHeld = (name: string) => report?.serial.find((port) => port.name === name)?.path ?? null;
  const answers = assignDevices(
    ports.map(({ name, match }) => ({ name, match, held: isHeld(name) })),
    { devices, byPath },
  );
  const servedBy = new Map<string, string>();
  const missing: SerialListing["missing"][number][] = [];
  for (const [i, answer] of answers.entries()) {
    const { name } = ports[i]!;
    if ("device" in answer) servedBy.set(answer.device.path, name);
    else if (fault !== null && ports[i]!.match.path === null)
      missing.push({ port: name, code: "SERIAL_LIST_FAILED", cause: fault });
    else missing.push({ port: name, code: answer.missing.code, cause: answer.missing.text });
  }
  const all = new Map([...byPath.values(), ...devices].map((device) => [device.path, device]));
  const listed: ListedDevice[] = [];
  for (const device of [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const port = servedBy.get(device.path) ?? null;
    listed.push({
      path: device.path,
      identity: identityOf(device),
      product: device.product ?? null,
      driver: device.driver ?? null,
      vendor_id: device.vendorId,
      product_id: device.productId,
      serial_number: device.serialNumber,
      usb_port: device.usbPort,
      usb_interface: device.usbInterface,
      port,
      state: report?.serial.find(({ name }) => name === port)?.state ?? null,
      holder: (await tty.holder(device.path)) ?? null,
      match: suggestMatch(device, devices),
    });
  }
  return { devices: listed, missing, fault };
}
