// `petiole firewall show|apply|check`: the ruleset that the settings ask for, put in force, or compared with the kernel's.

import { explain, isFault } from "#base/errors.ts";
import type { Exec } from "#base/exec.ts";
import type { Config } from "#config/config.ts";
import { type Count, countsOf, type Drift, driftOf, driftWords } from "#firewall/compare.ts";
import { Nft } from "#firewall/nft.ts";
import { removal, transactionOf } from "#firewall/nft-json.ts";
import type { Rule } from "#firewall/ruleset.ts";
import { wantedRuleset } from "#firewall/wanted.ts";
import { firewallDoors } from "../firewall-doors.ts";

export const FIREWALL_HELP_TEXT = {
  usage: `petiole firewall: the packet filter that the settings ask for (our own table, inet petiole; nobody else's is touched)

  petiole firewall show    the rules, and what each has seen where the kernel can be asked
  petiole firewall check   compares them with the kernel's; exit 1 if they differ
  petiole firewall apply   puts them in force; with firewall.enabled false: takes our table away

All take --data DIR (default /data), --settings FILE and --json. apply and check need root, or the capability NET_ADMIN.

exit 0  done, and nothing wrong          exit 1  the kernel's rules differ, or cannot be read or changed
exit 2  the command line was not understood

  petiole firewall show --settings ./settings.json
  petiole firewall check --json | jq .ok
`,
} as const;

export interface FirewallPlace {
  readonly config: Config;
  readonly isBalena: boolean;
  readonly exec: Exec;
}

export type FirewallOutcome = { readonly text: string; readonly code: number } | { readonly misuse: string };

const TIMEOUT_MS = 60_000;

export async function runFirewall(words: readonly string[], place: FirewallPlace, isJson: boolean): Promise<FirewallOutcome> {
  const [what, ...rest] = words;
  if (rest.length > 0) return { misuse: `"${rest[0]}" was not expected after "firewall ${what}"` };
  const { config, isBalena } = place;
  const { enabled } = config.firewall;
  const wanted = wantedRuleset(config.firewall, firewallDoors(config), { isBalena });
  const nft = new Nft(place.exec);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  switch (what) {
    case "show": {
      // Only a look: without the right to ask the kernel the rules are shown all the same.
      const listed = await attempt(() => nft.list(signal));
      const counts = "fault" in listed || listed.value === undefined ? new Map<string, Count>() : countsOf(listed.value);
      const rules = wanted.rules.map((rule) => ({ ...rule, count: counts.get(rule.key) ?? null }));
      if (isJson) return { text: json({ enabled, rules, transaction: transactionOf(wanted) }), code: 0 };
      return { text: showText(enabled, rules), code: 0 };
    }
    case "check": {
      const listed = await attempt(() => nft.list(signal));
      if ("fault" in listed) return failure(listed.fault, isJson);
      if (!enabled)
        return checkOutcome(listed.value === undefined ? null : "our table is in force, and firewall.enabled is false", isJson);
      const drift = driftOf(wanted, listed.value);
      return checkOutcome(driftSentence(drift, listed.value !== undefined), isJson, drift);
    }
    case "apply": {
      const done = await attempt(() => nft.apply(enabled ? transactionOf(wanted) : removal(), signal));
      if ("fault" in done) return failure(done.fault, isJson);
      const said = enabled ? `in force: ${wanted.rules.length} rules` : "off (firewall.enabled is false): our table is gone";
      return { text: isJson ? json({ ok: true, enabled, rules: enabled ? wanted.rules.length : 0 }) : `${said}\n`, code: 0 };
    }
    default:
      return { misuse: what === undefined ? "firewall wants one of show, check, apply" : `there is no "firewall ${what}"` };
  }
}

function driftSentence(drift: Drift | undefined, isThere: boolean): string | null {
  if (drift === undefined) return null;
  return isThere ? driftWords(drift) : "there is no table of ours in the kernel";
}

function checkOutcome(because: string | null, isJson: boolean, drift?: Drift): FirewallOutcome {
  const code = because === null ? 0 : 1;
  if (isJson) return { text: json({ ok: code === 0, because, drift: drift ?? null }), code };
  if (because === null) return { text: "as the settings ask for\n", code };
  return { text: `differs: ${because}\n"petiole firewall apply" puts it right; a running daemon does so by itself\n`, code };
}

function showText(enabled: boolean, rules: readonly (Rule & { readonly count: Count | null })[]): string {
  const head = enabled ? "in force while the daemon runs" : "switched off (firewall.enabled is false); this is what it would be";
  const rows = rules.map(({ verdict, words, limit, match, count }) => {
    const where = match.interfaces === undefined ? "" : ` on ${match.interfaces.join(", ")}`;
    const rate = limit === undefined ? "" : `, at most ${limit.perSecond} a second`;
    const seen = count === null ? "" : `   ${count.packets} packets`;
    return `  ${verdict.padEnd(6)}  ${words}${where}${rate}${seen}`;
  });
  return `${[head, ...rows].join("\n")}\n`;
}

function failure(fault: string, isJson: boolean): FirewallOutcome {
  return { text: isJson ? json({ ok: false, because: fault }) : `${fault}\n`, code: 1 };
}

async function attempt<T>(work: () => Promise<T>): Promise<{ readonly value: T } | { readonly fault: string }> {
  try {
    return { value: await work() };
  } catch (error) {
    if (!isFault(error)) throw error;
    return { fault: explain(error) };
  }
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
