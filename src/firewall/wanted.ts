// Which packets may come in, worked out from the settings and from what listens. Pure.
//
//   answers ▸ broken ▸ loopback ▸ blocked senders ▸ ICMP ▸ DHCP, mDNS ▸ the platform's own ▸ floods ▸ our doors ▸ allow ▸ drop
//
// Order matters where an accept ends the way: a blocked sender's running connections go on until their door ends them, its new ones
// do not come in. Source for the platform's needs: balenaOS reaches its supervisor on 48484, DNS on its bridges, the host by VPN.

import type { Endpoint } from "#base/net.ts";
import type { FirewallOptions } from "./options.ts";
import type { Limit, Rule, Ruleset } from "./ruleset.ts";

/** A port of ours that should be reachable. */
export interface Door {
  /** A short word, unique: "mqtt", "mqtt-tls", "page". */
  readonly name: string;
  readonly endpoint: Endpoint;
}

export interface Platform {
  /** The box runs balenaOS: its bridges and its VPN must stay open, or it falls off the cloud. */
  readonly isBalena: boolean;
}

/** Room in the kernel's sets; ours (firewall.ts) take less. */
const BLOCKED_MAX = 4096;
const PING: Limit = { perSecond: 20, burst: 40 };
const BRIDGES = ["balena0", "docker0", "supervisor0", "br-*"] as const;
const VPN = ["resin-vpn"] as const;
const LOOPBACK = /^(127\.|::1$|localhost$)/;

export function wantedRuleset(options: FirewallOptions, doors: readonly Door[], platform: Platform): Ruleset {
  const lan = options.lanInterfaces;
  const open = lan.length === 0 ? [] : doors.filter(({ endpoint }) => !LOOPBACK.test(endpoint.host) && endpoint.port > 0);
  const rules: Rule[] = [
    accept("answers", "answers to what we asked for", { state: ["established", "related"] }),
    drop("broken", "packets that belong to nothing", { state: ["invalid"] }),
    accept("loopback", "the box itself", { interfaces: ["lo"] }),
    drop("blocked4", "addresses blocked after wrong passwords (IPv4)", { fromSet: "blocked4" }),
    drop("blocked6", "addresses blocked after wrong passwords (IPv6)", { fromSet: "blocked6" }),
    ...icmpRules(),
    accept("dhcp", "an address from the network's DHCP server", { protocol: "udp", sourcePort: 67, port: 68 }),
    accept("dhcp6", "an address from the network's DHCPv6 server", { protocol: "udp", sourcePort: 547, port: 546 }),
  ];
  if (lan.length > 0) {
    rules.push(accept("mdns", "names of the local network (mDNS)", { interfaces: lan, protocol: "udp", port: 5353 }));
  }
  if (platform.isBalena) rules.push(...balenaRules());
  if (options.newConnections !== null) for (const door of open) rules.push(...floodRules(door, lan, options.newConnections));
  for (const { name, endpoint } of open) {
    const words = `${name} (port ${endpoint.port})`;
    rules.push(accept(`door ${name}`, words, { interfaces: lan, protocol: "tcp", port: endpoint.port }));
  }
  if (options.hostSsh && lan.length > 0) {
    const port = platform.isBalena ? 22_222 : 22;
    rules.push(accept("ssh", `SSH to the host (port ${port})`, { interfaces: lan, protocol: "tcp", port }));
  }
  for (const [i, allowed] of options.allow.entries()) rules.push(...allowRules(allowed, i, lan));
  rules.push(
    drop("noise", "broadcasts nobody here asked for", { cast: ["broadcast", "multicast"] }),
    drop("rest", "everything else", {}),
  );
  return { rules, blockedMax: BLOCKED_MAX };
}

/** What IPv4 and IPv6 need to work at all, and a bounded ping (RFC 4890 §4.4.1). */
function icmpRules(): Rule[] {
  const faults = ["destination-unreachable", "time-exceeded", "parameter-problem"];
  const neighbours = [
    "nd-router-advert",
    "nd-neighbor-solicit",
    "nd-neighbor-advert",
    "mld-listener-query",
    "mld2-listener-report",
  ];
  return [
    accept("icmp", "faults that the network reports (ICMP)", { icmp: faults }),
    accept("icmp6", "faults and neighbours (ICMPv6)", { icmp6: [...faults, "packet-too-big", ...neighbours] }),
    { ...accept("ping", "ping", { icmp: ["echo-request"] }), limit: PING },
    { ...accept("ping6", "ping (IPv6)", { icmp6: ["echo-request"] }), limit: PING },
  ];
}

function balenaRules(): Rule[] {
  return [
    accept("supervisor", "balena's supervisor, from its containers", { interfaces: BRIDGES, protocol: "tcp", port: 48_484 }),
    accept("dns", "names for the containers", { interfaces: BRIDGES, protocol: "udp", port: 53 }),
    accept("dns-tcp", "names for the containers, long answers", { interfaces: BRIDGES, protocol: "tcp", port: 53 }),
    accept("vpn", "balena's dashboard, by its VPN", { interfaces: VPN, protocol: "tcp", port: [22_222, 48_484] }),
  ];
}

/** Beyond the limit new connections of one sender are dropped; those it has go on. */
function floodRules({ name, endpoint }: Door, interfaces: readonly string[], perSecond: number): Rule[] {
  const match = { interfaces, state: ["new"], protocol: "tcp", port: endpoint.port } as const;
  return ([4, 6] as const).map((family) => ({
    ...drop(
      `flood ${name} ${family}`,
      `more than ${perSecond} new connections a second from one IPv${family} address to ${name}`,
      match,
    ),
    beyond: { perSecond, burst: perSecond * 2, family },
  }));
}

function allowRules(allowed: FirewallOptions["allow"][number], index: number, lan: readonly string[]): Rule[] {
  const interfaces = allowed.interface === null ? lan : [allowed.interface];
  if (interfaces.length === 0) return [];
  const { protocol, port, from } = allowed;
  const whom = from === null ? "everybody" : `${from.address}/${from.prefixBits}`;
  const words = `${protocol} port ${port} for ${whom} (allow[${index}])`;
  return [accept(`allow ${index}`, words, { interfaces, protocol, port, ...(from === null ? {} : { from }) })];
}

function accept(key: string, words: string, match: Rule["match"]): Rule {
  return { key, words, match, verdict: "accept" };
}

function drop(key: string, words: string, match: Rule["match"]): Rule {
  return { key, words, match, verdict: "drop" };
}
