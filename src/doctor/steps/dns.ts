// Every host name that the settings dial, asked of every DNS server by itself, and then looked up as the daemon does it.
//
// One server that is dead makes each look-up slow, though the next one answers: a warning. A name without an address is broken.

import { promises as dns } from "node:dns";
import { isIP } from "node:net";
import { readWhole } from "#base/disk.ts";
import { isFault, systemCode } from "#base/errors.ts";
import { addressesInHosts } from "#base/hosts-file.ts";
import { parseResolvConf } from "#base/resolv-conf.ts";
import { DOCTOR_DNS_SERVER_BAD } from "../errors.ts";
import { troubleOf } from "../fault-words.ts";
import { broken, DEVICE, type Draft, fine, skipped, type Target, warning } from "../finding.ts";
import type { Probe } from "../probe.ts";
import type { Scene, Step } from "../scene.ts";

const FILE_BYTES_MAX = 256 * 1024;
const NAMES_MAX = 16;
const SAID: Readonly<Record<string, string>> = {
  ENOTFOUND: "knows no such name",
  ENODATA: "knows the name but has no address for it",
  ETIMEOUT: "does not answer",
  ECONNREFUSED: "cannot be reached",
  EREFUSED: "refuses to answer us",
  ESERVFAIL: "could not look it up (SERVFAIL)",
};
/** The server does its work; the name is what is wrong. */
const ABOUT_NAME: ReadonlySet<string> = new Set(["ENOTFOUND", "ENODATA"]);

export const dnsStep: Step = {
  id: "dns",
  title: "the names of the hubs",
  async run(scene: Scene, signal: AbortSignal): Promise<readonly Draft[]> {
    const { probe, hubs } = scene;
    const hosts = [...new Set(hubs.map(({ remote, choice }) => (remote.proxy?.url ?? choice.url).endpoint.host))];
    const names = hosts.filter((host) => isIP(host) === 0 && host !== "localhost").slice(0, NAMES_MAX);
    if (names.length === 0)
      return [skipped(DEVICE, hubs.length === 0 ? "no hub to look up" : "not needed: the hubs are given by address")];
    const { nameservers } = parseResolvConf(await file(probe, probe.places.resolvConf));
    const planted = await file(probe, probe.places.hosts);
    const all = names.map(async (name) => {
      const isPlanted = addressesInHosts(planted, name.toLowerCase()).length > 0;
      const drafts = await examine(name, isPlanted ? [] : nameservers, probe, signal);
      if (drafts.some(({ verdict }) => verdict === "broken")) scene.nameless.add(name);
      return drafts;
    });
    return (await Promise.all(all)).flat();
  },
};

async function examine(name: string, servers: readonly string[], probe: Probe, signal: AbortSignal): Promise<readonly Draft[]> {
  const [whole, ...single] = await Promise.all([
    probe.resolver.resolve(name, signal).then(
      (addresses) => ({ addresses }),
      (error: unknown) => {
        signal.throwIfAborted();
        if (!isFault(error)) throw error;
        return { error };
      },
    ),
    ...servers.map((server) => ask(server, name, probe)),
  ]);
  const about: Target = { target: name, ref: null };
  const facts = { servers: single.map(({ server, said }) => `${server}: ${said}`) };
  const drafts: Draft[] = [];
  if ("error" in whole) drafts.push(broken(about, troubleOf(whole.error), facts));
  else {
    const addresses = whole.addresses.map(({ address }) => address);
    drafts.push(fine(about, `${name} is ${addresses.join(", ")}`, { addresses, ...facts }));
    for (const { server, said, code } of single.filter((each) => each.code !== null && !ABOUT_NAME.has(each.code)))
      drafts.push(
        warning(about, {
          code: DOCTOR_DNS_SERVER_BAD,
          detail: code,
          cause: `DNS server ${server} ${said}, so every look-up is slow`,
          remedy: "take it out of the list of DNS servers (DHCP at the router, or /etc/resolv.conf), or bring it back",
        }),
      );
  }
  return drafts;
}

interface Answer {
  readonly server: string;
  readonly said: string;
  /** null: it gave an address. */
  readonly code: string | null;
}

/** Never rejects. */
async function ask(server: string, name: string, { places, limits }: Probe): Promise<Answer> {
  const channel = new dns.Resolver({ timeout: limits.dns, tries: 1 });
  try {
    const at = server.includes(":") ? `[${server}]` : server;
    channel.setServers([places.dnsPort === 53 ? server : `${at}:${places.dnsPort}`]);
    const answers = await Promise.allSettled([channel.resolve4(name), channel.resolve6(name)]);
    const addresses = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    if (addresses.length > 0) return { server, said: addresses.join(", "), code: null };
    const codes = answers.flatMap((answer) => (answer.status === "rejected" ? [systemCode(answer.reason) ?? "EUNKNOWN"] : []));
    const code = codes.find((each) => !ABOUT_NAME.has(each)) ?? codes[0] ?? "ENODATA";
    return { server, said: SAID[code] ?? `fails (${code})`, code };
  } catch (error) {
    return { server, said: "is no address that can be asked", code: systemCode(error) ?? "EINVAL" };
  } finally {
    channel.cancel();
  }
}

/** "" where it is not there. */
async function file({ env: { disk } }: Probe, path: string): Promise<string> {
  try {
    return (await readWhole(disk, path, FILE_BYTES_MAX))?.toString("utf8") ?? "";
  } catch (error) {
    if (!isFault(error)) throw error;
    return "";
  }
}
