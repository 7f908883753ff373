// The way out of the local network: is there a default route, and does the router at its end exist?
//
//   /proc/net/route, /proc/net/ipv6_route ─▶ the default routes
//   one datagram to the router ─▶ the kernel asks "who has it" ─▶ /proc/net/arp says whether anybody answered
//
// A router that answers no ping answers this, or nothing passes. Modems and tunnels have no such table: there the route must do.
// Source: proc(5); Linux net/ipv4/arp.c, ATF_COM.

import { sleep } from "#base/clock.ts";
import { DOCTOR_GATEWAY_SILENT, DOCTOR_NO_GATEWAY } from "../errors.ts";
import { broken, DEVICE, type Draft, fine, skipped, warning } from "../finding.ts";
import type { Probe } from "../probe.ts";
import type { Scene, Step } from "../scene.ts";

export interface DefaultRoute {
  readonly device: string;
  /** null: a link without neighbours, such as a modem's. */
  readonly gateway: string | null;
}

const ROUTE_UP = 1;
const ROUTE_REJECT = 0x200;
const COMPLETE = 2;
const LOOK_EVERY_MS = 100;
const ROUTES_MAX = 8;

export const gatewayStep: Step = {
  id: "gateway",
  title: "the gateway",
  async run({ probe, hubs }: Scene, signal: AbortSignal): Promise<readonly Draft[]> {
    const { files } = probe.machine;
    const routes = [
      ...defaultRoutes((await files.read("/proc/net/route")) ?? ""),
      ...defaultRoutes6((await files.read("/proc/net/ipv6_route")) ?? ""),
    ];
    if (routes.length === 0) {
      if (hubs.length > 0 && hubs.every(({ choice }) => isHere(choice.url.endpoint.host)))
        return [skipped(DEVICE, "not needed: every hub is on this device")];
      return [
        warning(DEVICE, {
          code: DOCTOR_NO_GATEWAY,
          cause: "there is no way out of the local network: no default route",
          remedy: "see that the router's DHCP names a gateway, or set one; a hub in the local network needs none",
        }),
      ];
    }
    return await Promise.all(routes.slice(0, ROUTES_MAX).map((route) => judge(route, probe, signal)));
  },
};

async function judge({ device, gateway }: DefaultRoute, probe: Probe, signal: AbortSignal): Promise<Draft> {
  const about = { target: gateway ?? device, ref: null };
  if (gateway === null) return fine(about, `the way out is ${device}, which needs no gateway`, { device });
  if (gateway.includes(":")) return fine(about, `the way out is ${gateway} on ${device} (IPv6)`, { device });
  await probe.nudge(gateway);
  const { clock } = probe.env;
  const until = clock.now() + probe.limits.neighbour;
  for (;;) {
    const entry = neighbourIn((await probe.machine.files.read("/proc/net/arp")) ?? "", gateway, device);
    if (entry === "known") return fine(about, `the gateway ${gateway} answers on ${device}`, { device });
    if (clock.now() >= until) {
      if (entry === undefined) return fine(about, `the way out is ${gateway} on ${device}`, { device }); // no such table here
      return broken(
        about,
        {
          code: DOCTOR_GATEWAY_SILENT,
          cause: `the gateway ${gateway} does not answer on ${device}`,
          remedy: "see that the router is on and in the same network; if its address has changed, take a new one by DHCP",
        },
        { device },
      );
    }
    await sleep(clock, LOOK_EVERY_MS, signal);
  }
}

/** Lines of hexadecimal, little-endian: `eth0 00000000 0101A8C0 0003 …`. */
export function defaultRoutes(table: string): readonly DefaultRoute[] {
  return table.split("\n").flatMap((line) => {
    const [device, target, gateway, flags, , , , mask] = line.trim().split(/\s+/);
    if (target !== "00000000" || mask !== "00000000" || gateway === undefined) return [];
    if ((Number.parseInt(flags ?? "0", 16) & ROUTE_UP) === 0) return [];
    const bytes = Buffer.from(gateway, "hex").reverse();
    const address = bytes.length === 4 ? [...bytes].join(".") : "0.0.0.0";
    return [{ device: device!, gateway: address === "0.0.0.0" ? null : address }];
  });
}

/** `<target> 00 <source> 00 <gateway> <metric> … <flags> <device>`; the kernel's own reject route at the end is none. */
export function defaultRoutes6(table: string): readonly DefaultRoute[] {
  return table.split("\n").flatMap((line) => {
    const [target, length, , , gateway, , , , flags, device] = line.trim().split(/\s+/);
    if (target !== "0".repeat(32) || length !== "00" || gateway === undefined || device === undefined || device === "lo")
      return [];
    const bits = Number.parseInt(flags ?? "0", 16);
    if ((bits & ROUTE_UP) === 0 || (bits & ROUTE_REJECT) !== 0) return [];
    const groups = gateway.match(/.{4}/g)?.map((group) => group.replace(/^0{1,3}/, "")) ?? [];
    const address = groups.join(":").replace(/(?:^|:)0(?::0)+(?::|$)/, "::");
    return [{ device, gateway: /^0+$/.test(gateway) ? null : address }];
  });
}

/** undefined: the table does not have it. */
export function neighbourIn(table: string, address: string, device: string): "known" | "asked" | undefined {
  for (const line of table.split("\n")) {
    const [ip, , flags, , , on] = line.trim().split(/\s+/);
    if (ip === address && on === device) return (Number.parseInt(flags ?? "0", 16) & COMPLETE) !== 0 ? "known" : "asked";
  }
  return undefined;
}

function isHere(host: string): boolean {
  return host === "localhost" || host.startsWith("127.") || host === "::1";
}
