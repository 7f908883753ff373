// /etc/hosts: names that are answered without asking anybody (hosts(5)).

import { isIP } from "node:net";

/** More addresses for one name than this are not looked at. */
const ADDRESSES_MAX = 16;

/** The addresses of `name` in the file's order, or none. Lines that are not well-formed are passed over, as the C library does. */
export function addressesInHosts(text: string, name: string): readonly string[] {
  const wanted = name.toLowerCase();
  const found = new Set<string>();
  for (const line of text.split("\n")) {
    if (found.size === ADDRESSES_MAX) break;
    const [address, ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (address === undefined || isIP(address) === 0) continue;
    if (names.some((each) => each.toLowerCase() === wanted)) found.add(address);
  }
  return [...found];
}
