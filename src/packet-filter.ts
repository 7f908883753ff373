// The packet filter of a running spoke: on as the settings say, fed with who is locked out; or taken away where it once was on.
//
// A spoke whose filter was never on asks nothing of nft: it may run beside other people's rules, or without any right. That it was on
// is remembered by an empty file, since a table outlives the process that made it.

import type { Authenticator } from "#access/authenticator.ts";
import type { Clock, Millis } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import { explain, isFault, PetioleError } from "#base/errors.ts";
import type { Config } from "#config/config.ts";
import { type Firewall, type FirewallEnv, openFirewall } from "#firewall/firewall.ts";
import type { Ruleset } from "#firewall/ruleset.ts";
import { wantedRuleset } from "#firewall/wanted.ts";
import { LIVE_FILTER } from "#live/live-errors.ts";
import { firewallDoors } from "./firewall-doors.ts";

const MARK = "packet-filter";
/** nft takes a tenth of a second, on an emulated processor a few. A door that stays shut for long loses more than the filter saves. */
const DOORS_WAIT_MS = 5_000;

export interface PacketFilterFacts {
  readonly dataDir: string;
  readonly isBalena: boolean;
}

/** undefined: there is none, and none was. Waits for nothing of the kernel's. */
export async function openPacketFilter(
  config: Config,
  { dataDir, isBalena }: PacketFilterFacts,
  authenticator: Pick<Authenticator, "blockedAddresses">,
  env: FirewallEnv & { readonly disk: Disk },
): Promise<Firewall | undefined> {
  const mark = `${dataDir}/${MARK}`;
  const { enabled } = config.firewall;
  const wasOn = (await env.disk.list(dataDir)).includes(MARK);
  if (!enabled && !wasOn) return undefined;
  if (!enabled) {
    const firewall = openFirewall(null, env);
    // Only what is known to be gone is forgotten: without the right to look, the next start tries again.
    void firewall.settled.then(() => (firewall.isRemoved ? forget(mark, env) : undefined));
    return firewall;
  }
  if (!wasOn) await remember(mark, env);
  return openFirewall(rulesetOf(config, isBalena), env, () => authenticator.blockedAddresses());
}

/** Resolves when the first try to put the filter in force is over, whatever came of it, or after 5 s: doors open behind it. */
export async function firstTry(filter: Pick<Firewall, "settled">, clock: Clock): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  using _timer: Disposable = clock.after(DOORS_WAIT_MS satisfies Millis, resolve);
  await Promise.race([filter.settled, late]);
}

/**
 * Puts what `config` wants in force. Resolves with the filter that runs then, null for none. Throws LIVE_FILTER when the kernel does not
 * take it and took what was before it.
 */
export async function changePacketFilter(
  current: Firewall | null,
  config: Config,
  facts: PacketFilterFacts,
  authenticator: Pick<Authenticator, "blockedAddresses">,
  env: FirewallEnv & { readonly disk: Disk },
): Promise<Firewall | null> {
  if (current === null) {
    const opened = await openPacketFilter(config, facts, authenticator, env);
    await opened?.settled;
    const { state, because } = opened?.status() ?? { state: "off", because: null };
    if (state !== "failing") return opened ?? null;
    await opened?.[Symbol.asyncDispose]();
    throw notInForce(because);
  }
  const mark = `${facts.dataDir}/${MARK}`;
  const { enabled } = config.firewall;
  const hasFailedBefore = current.status().state === "failing";
  if (enabled && !(await env.disk.list(facts.dataDir)).includes(MARK)) await remember(mark, env);
  await current.change(enabled ? rulesetOf(config, facts.isBalena) : null);
  if (!enabled && current.isRemoved) await forget(mark, env);
  const { state, because } = current.status();
  if (state === "failing" && !hasFailedBefore) throw notInForce(because);
  return current;
}

function rulesetOf(config: Config, isBalena: boolean): Ruleset {
  return wantedRuleset(config.firewall, firewallDoors(config), { isBalena });
}

function notInForce(because: string | null): PetioleError {
  return new PetioleError(LIVE_FILTER, `the packet filter does not take the change: ${because ?? "no reason was given"}`);
}

async function remember(mark: string, { disk, log }: { readonly disk: Disk; readonly log: FirewallEnv["log"] }): Promise<void> {
  try {
    await using _file = await disk.open(mark, "create");
  } catch (error) {
    if (!isFault(error)) throw error;
    log.warn("switching the packet filter off later will need petiole firewall apply", { because: explain(error) });
  }
}

async function forget(mark: string, { disk, log }: { readonly disk: Disk; readonly log: FirewallEnv["log"] }): Promise<void> {
  try {
    await disk.remove(mark);
  } catch (error) {
    if (!isFault(error)) throw error;
    log.debug("the mark of the packet filter stays", { because: explain(error) });
  }
}
