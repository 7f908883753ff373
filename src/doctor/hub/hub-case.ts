// One URL of one remote under examination: how to get there, as the daemon would go, and what the steps have seen of it so far.

import type { Millis } from "#base/clock.ts";
import { isFault, PetioleError } from "#base/errors.ts";
import { silentLog } from "#base/log.ts";
import type { Config } from "#config/config.ts";
import type { StatusReport } from "#status/report.ts";
import { AddressBook } from "#uplink/address-book.ts";
import { Dialer } from "#uplink/dialer.ts";
import type { HubInfo } from "#uplink/hub-info.ts";
import { type RemoteOptions, remoteName } from "#uplink/options.ts";
import { Transport } from "#uplink/transport.ts";
import { outboxFolder } from "#uplink/uplink.ts";
import type { UrlChoice } from "#uplink/url-list.ts";
import { DOCTOR_STEP_FAILED } from "../errors.ts";
import type { Target } from "../finding.ts";
import type { Probe } from "../probe.ts";
import { within } from "../within.ts";
import type { Visit } from "./leaf-visit.ts";

export type TlsWay = "first" | "required" | "if-asked" | "never";

export interface HubCase extends Target {
  readonly target: string;
  readonly ref: string;
  readonly remote: RemoteOptions;
  readonly name: string;
  readonly choice: UrlChoice;
  readonly transport: Transport;
  /** As link.ts has it. */
  readonly tlsWay: TlsWay;
  /** The running daemon has a link for this remote. */
  readonly isLinked: boolean;
  /** … and over this very URL. */
  readonly isLinkedHere: boolean;
  /** The step at which the way ended; null: not so far. */
  endedAt: string | null;
  /** What a connection takes: about a round trip, more through a proxy or over a modem that wakes up. */
  roundTripMs: Millis;
  /** What INFO said first. */
  info: HubInfo | null;
  visit: Visit | null;
}

/** More URLs than this are not examined: a diagnosis must come to an end. */
export const HUBS_MAX = 16;

export async function hubCasesOf(
  config: Config,
  status: StatusReport | undefined,
  probe: Probe,
  signal: AbortSignal,
): Promise<readonly HubCase[]> {
  const cases: HubCase[] = [];
  for (const [i, remote] of config.leafnodes.remotes.entries()) {
    const transport = await transportOf(remote, probe, signal);
    const name = remoteName(remote);
    const link = status?.remotes.find((each) => each.name === name)?.link;
    for (const [j, url] of remote.urls.entries()) {
      if (cases.length === HUBS_MAX) return cases;
      const isLinked = link?.state === "ready";
      cases.push({
        target: url.text,
        ref: `${i}.${j}`,
        remote,
        name,
        choice: { url, isConfigured: true, tlsHost: url.endpoint.host },
        transport,
        tlsWay: tlsWayOf(remote, url),
        isLinked,
        isLinkedHere: isLinked && link?.url === url.text,
        endedAt: null,
        roundTripMs: 0,
        info: null,
        visit: null,
      });
    }
  }
  return cases;
}

async function transportOf(remote: RemoteOptions, probe: Probe, signal: AbortSignal): Promise<Transport> {
  const { clock, net, entropy } = probe.env;
  const { resolver, limits } = probe;
  const known = await knownAddresses(remote, probe, signal);
  const memory = { known: (host: string) => known.get(host) ?? [], remember: () => undefined };
  const dialer = new Dialer({ clock, net, resolver, log: silentLog() }, memory, { attempt: limits.dial, dns: limits.dns });
  return new Transport(remote, { clock, entropy, dialer });
}

type Known = ReadonlyMap<string, ReturnType<AddressBook["known"]>>;

/** None from a disk that hangs: the step `disk` says so. */
async function knownAddresses(
  remote: RemoteOptions,
  { env: { clock, disk }, dataDir, limits }: Probe,
  signal: AbortSignal,
): Promise<Known> {
  const late = () => new PetioleError(DOCTOR_STEP_FAILED, "the remembered addresses cannot be read in time; look at the disk");
  try {
    return await within({ clock, limit: limits.dns, signal, late }, async () => {
      // Read only: nothing is remembered here, so closing it writes nothing.
      await using book = await AddressBook.open(`${dataDir}/outbox/${outboxFolder(remote)}`, { clock, disk, log: silentLog() });
      return new Map(remote.urls.map(({ endpoint: { host } }) => [host, book.known(host)] as const));
    });
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) throw error;
    return new Map();
  }
}

function tlsWayOf(remote: RemoteOptions, url: UrlChoice["url"]): TlsWay {
  const wantsTls = remote.tls !== null || url.isTls;
  if (url.isWebSocket) return wantsTls ? "first" : "never";
  if (remote.tls?.handshakeFirst === true) return "first";
  return wantsTls ? "required" : "if-asked";
}
