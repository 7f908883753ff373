// `petiole serial list`: the serial devices that are there, who has them, and which settings would recognise them again.

import { explain, isFault } from "#base/errors.ts";
import type { Tty, TtyInfo } from "#base/tty.ts";
import type { Config } from "#config/config.ts";
import { assignDevices, identityOf, suggestMatch } from "#ingress/serial/match.ts";
import type { StatusReport } from "#status/report.ts";
import { printable } from "./printable.ts";

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

export interface ListSources {
  readonly tty: Tty;
  /** The ports of the settings; empty when these could not be read. */
  readonly ports: Config["serial"];
  /** Of the running daemon; undefined without one. */
  readonly report: StatusReport | undefined;
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

export function formatListing({ devices, missing, fault }: SerialListing): string {
  const lines: string[] = [];
  if (fault !== null) lines.push(`devices cannot be listed: ${printable(fault)}`);
  else if (devices.length === 0)
    lines.push("no serial devices; plug one in. In a container: is it privileged, or is the device handed to it?");
  for (const device of devices) {
    const words = [device.product, device.driver === null ? null : `driver ${device.driver}`].filter((word) => word !== null);
    lines.push(`${device.path}  ${printable(words.join(", ") || (isPty(device.path) ? "pseudo-terminal" : "serial port"))}`);
    if (device.identity !== device.path) lines.push(`  ${printable(device.identity)}`);
    lines.push(`  ${usedBy(device)}`);
    if (device.port === null) lines.push(`  recognise it by  "match": ${JSON.stringify(device.match)}`);
  }
  for (const { port, cause } of missing) lines.push(`port ${port}  has no device: ${printable(cause)}`);
  return `${lines.join("\n")}\n`;
}

function isPty(path: string): boolean {
  return path.startsWith("/dev/pts/");
}

function usedBy({ port, state, holder }: ListedDevice): string {
  if (port !== null && state !== null) return `serves port ${port}, which is ${state}${state === "open" ? "" : heldBy(holder)}`;
  if (port !== null) return `is for port ${port}; the daemon does not run${heldBy(holder)}`;
  return holder === null ? "free" : `held by ${printable(holder)}`;
}

function heldBy(holder: string | null): string {
  return holder === null ? "" : `; held by ${printable(holder)}`;
}
