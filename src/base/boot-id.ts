// Which boot of the system this is: instants counted from it mean something only together with its id.

import type { Disk } from "./disk.ts";
import type { Entropy } from "./entropy.ts";
import { isFault } from "./errors.ts";

/** The kernel makes a random UUID at each boot; every process and container of that boot reads the same one. */
const KERNEL_PATH = "/proc/sys/kernel/random/boot_id";
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const UUID_CHARS = 36;

export function isBootId(text: string): boolean {
  return UUID.test(text);
}

/** The kernel's id of this boot, or undefined where there is none to be had. */
export async function tryReadBootId(disk: Disk): Promise<string | undefined> {
  try {
    await using file = await disk.open(KERNEL_PATH, "read");
    const bytes = Buffer.alloc(UUID_CHARS + 1); // with its newline; the kernel gives the size as 0
    const text = bytes.latin1Slice(0, await file.read(bytes, 0)).trim();
    return isBootId(text) ? text : undefined;
  } catch (error) {
    if (!isFault(error)) throw error;
    return undefined; // no such file, or not for us: the caller makes an id of its own
  }
}

/** An id that no boot has: for a life whose instants must not be mixed with those of any other. */
export function randomBootId(entropy: Entropy): string {
  return entropy
    .bytes(16)
    .toString("hex")
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
