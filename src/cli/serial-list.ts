// `petiole serial list`: the devices that are there, in words.

import type { ListedDevice, SerialListing } from "#ingress/serial/listing.ts";
import { printable } from "./printable.ts";

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
