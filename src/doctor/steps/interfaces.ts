// Is there a network at all: an interface that is up, with an address that leads somewhere?

import type { NetworkInterfaceInfo } from "node:os";
import { DOCTOR_NO_ADDRESS, DOCTOR_NO_INTERFACE } from "../errors.ts";
import { broken, DEVICE, type Draft, fine, warning } from "../finding.ts";
import type { Scene, Step } from "../scene.ts";

/** Those of containers and of the system itself (ingress/host/readings/network.ts has the same list for its figures). */
const OWN = /^(?:lo|veth|docker|br-|balena|resin|supervisor|dummy|tunl|sit|ip6tnl|ifb|gre|erspan|ip_vti|ip6_vti|virbr)/;
const INTERFACES_MAX = 16;

export const interfacesStep: Step = {
  id: "interfaces",
  title: "the network interfaces",
  async run({ probe }: Scene): Promise<readonly Draft[]> {
    const { files } = probe.machine;
    const addresses = probe.interfaces();
    const names = (await files.list("/sys/class/net")).filter((name) => !OWN.test(name)).slice(0, INTERFACES_MAX);
    if (names.length === 0)
      return [
        broken(DEVICE, {
          code: DOCTOR_NO_INTERFACE,
          cause: "this device has no network interface that leads out",
          remedy: "connect a network cable adapter, Wi-Fi or modem; in a container, see that it runs in the host's network",
        }),
      ];
    const drafts: Draft[] = [];
    let hasWayOut = false;
    for (const name of names) {
      const about = { target: name, ref: null };
      const state = await files.read(`/sys/class/net/${name}/operstate`);
      const good = (addresses[name] ?? []).filter(leadsOut);
      hasWayOut ||= good.length > 0;
      const facts = { state: state ?? "unknown", addresses: (addresses[name] ?? []).map(({ cidr, address }) => cidr ?? address) };
      if (good.length > 0) drafts.push(fine(about, `${name} is up and has the address ${good[0]!.address}`, facts));
      else if (state === "up" || state === "unknown")
        drafts.push(
          warning(
            about,
            {
              code: DOCTOR_NO_ADDRESS,
              cause: `${name} is connected but has no address of its own`,
              remedy: "see that the router's DHCP gives one, or set a fixed address",
            },
            facts,
          ),
        );
      else drafts.push(fine(about, `${name} is not connected (${state ?? "unknown"})`, facts));
    }
    if (hasWayOut) return drafts;
    return [
      ...drafts,
      broken(DEVICE, {
        code: DOCTOR_NO_ADDRESS,
        cause: "no network interface has an address that leads out",
        remedy: "plug in the cable, or connect the Wi-Fi or the modem; then see that DHCP gives an address",
      }),
    ];
  },
};

/** Not one that the device gave itself because nobody else did (169.254…, fe80…). */
function leadsOut({ address, internal }: NetworkInterfaceInfo): boolean {
  return !internal && !address.startsWith("169.254.") && !/^fe[89ab]/i.test(address);
}
