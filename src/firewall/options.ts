// Our own nftables table: on or off, which networks are local, and what is let in besides our own doors.

import * as net from "node:net";
import { fields, flag, integer, list, nullable, oneOf, optional, required, type ValueOf } from "#base/schema.ts";
import { parsedText, text } from "#base/schema-text.ts";

/** IFNAMSIZ less its NUL; a star at the end stands for the rest of a name. */
export function interfaceName() {
  return text('an interface name such as "eth0" or "wlan*"', { pattern: "^(?=.{1,15}$)[A-Za-z0-9_.:@-]+\\*?$" });
}

/** An address or a network in CIDR form. */
export interface Network {
  readonly family: 4 | 6;
  readonly address: string;
  readonly prefixBits: number;
}

export function network() {
  return parsedText<Network>('an address or a network such as "192.168.7.0/24"', { bytesMax: 64 }, (value) => {
    const [address = "", bits, ...rest] = value.split("/");
    const family = net.isIP(address);
    const most = family === 4 ? 32 : 128;
    const prefixBits = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
    if (rest.length > 0 || family === 0 || address.includes("%") || !(prefixBits <= most)) {
      return { fault: { remedy: "write an address without a zone and, behind a slash, how many leading bits count" } };
    }
    return { value: Object.freeze({ family: family as 4 | 6, address, prefixBits }) };
  });
}

const allowOptions = fields({
  port: required(integer(1, 65_535), "port that is opened"),
  protocol: optional(oneOf(["tcp", "udp"]), "tcp", "protocol of the port"),
  from: optional(nullable(network()), null, "who may come; null: everybody on these interfaces"),
  interface: optional(nullable(interfaceName()), null, "where it is opened; null: on lan_interfaces"),
});

export const firewallOptions = fields({
  enabled: optional(flag(), false, "drop what comes in and was not asked for; the appliance's image turns it on"),
  lan_interfaces: optional(
    list(interfaceName(), { max: 32 }),
    ["eth0", "wlan0"],
    "interfaces of the local network: page, MQTT and NATS are open there, where they listen",
  ),
  allow: optional(list(allowOptions, { max: 64 }), [], "what is let in besides"),
  new_connections: optional(
    nullable(integer(1, 10_000, "a second")),
    50,
    "new connections from one address to one of our doors; more are dropped; null: no limit",
  ),
  host_ssh: optional(flag(), false, "let in SSH to the host (port 22222 on balenaOS, 22 elsewhere) on lan_interfaces"),
});

export type FirewallOptions = ValueOf<typeof firewallOptions>;
