// /etc/resolv.conf: which names to ask for, and whether there is a server to ask (resolv.conf(5)). c-ares reads the servers itself.

export interface ResolvConf {
  readonly nameservers: readonly string[];
  /** Domains tried behind a name with few dots. */
  readonly search: readonly string[];
  /** Names with at least this many dots are tried as they stand first. */
  readonly ndots: number;
}

const SEARCH_MAX = 8;
const NAMESERVERS_MAX = 8;
const NDOTS_MAX = 15;
const NAME_CHARS_MAX = 253;

/** Lines that are not well-formed are passed over; of `domain` and `search` the last one counts. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  let search: readonly string[] = [];
  let ndots = 1;
  for (const line of text.split("\n")) {
    const [key, ...values] = line
      .replace(/[#;].*/, "")
      .trim()
      .split(/\s+/);
    if (key === "nameserver" && values[0] !== undefined && nameservers.length < NAMESERVERS_MAX) nameservers.push(values[0]);
    if (key === "domain") search = values.slice(0, 1);
    if (key === "search") search = values.slice(0, SEARCH_MAX);
    if (key !== "options") continue;
    for (const option of values) {
      const count = /^ndots:(\d{1,3})$/.exec(option)?.[1];
      if (count !== undefined) ndots = Math.min(Number(count), NDOTS_MAX);
    }
  }
  return { nameservers, search: search.map((each) => each.replace(/\.+$/, "")).filter((each) => each !== ""), ndots };
}

/** Full names to ask for, in order. A trailing dot means: this name and no other. */
export function namesToAsk(host: string, conf: Pick<ResolvConf, "search" | "ndots">): readonly string[] {
  if (host.endsWith(".")) return [host.slice(0, -1)];
  const searched = conf.search.map((domain) => `${host}.${domain}`).filter((name) => name.length <= NAME_CHARS_MAX);
  const dots = host.split(".").length - 1;
  return dots >= conf.ndots ? [host, ...searched] : [...searched, host];
}
