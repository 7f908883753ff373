// The machine's name and addresses, as the system has them.

import { hostname, networkInterfaces } from "node:os";
import type { HostFacts } from "./host-names.ts";

export function systemHostFacts(): HostFacts {
  return {
    hostname,
    addresses: () => Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []),
  };
}
