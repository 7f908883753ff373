// No two doors at one address: the second could not open, and which one that is would depend on the order of the start.

import type { Report } from "#base/fault.ts";
import { type Endpoint, formatEndpoint } from "#base/net.ts";
import type { Loose } from "#base/schema.ts";

type Door = Loose<Endpoint | null>;
type Part = { readonly listen?: Door } | null | undefined;

/** As far as the settings could be read: what is faulty is undefined, what is off is null. */
export interface Doors {
  readonly listen?: Door;
  readonly websocket?: Part;
  readonly mqtt?: (NonNullable<Part> & { readonly tls?: Part; readonly websocket?: Part }) | null | undefined;
  readonly web?: Part;
  readonly monitor?: Part;
}

/** A fault for each door whose address another one has. Port 0 is whatever is free, so it is in nobody's way. */
export function checkDoorClashes(settings: Doors, report: Report): void {
  const { listen, websocket, mqtt, web, monitor } = settings;
  const doors: readonly (readonly [readonly string[], Door])[] = [
    [["web", "listen"], web?.listen], // the page comes first: it is the last that should be found shut
    [["mqtt", "listen"], mqtt?.listen],
    [["mqtt", "tls", "listen"], mqtt?.tls?.listen],
    [["mqtt", "websocket", "listen"], mqtt?.websocket?.listen],
    [["listen"], listen],
    [["websocket", "listen"], websocket?.listen],
    [["monitor", "listen"], monitor?.listen],
  ];
  const open: { readonly path: readonly string[]; readonly at: Endpoint }[] = [];
  for (const [path, door] of doors) {
    if (door?.host === undefined || door.port === undefined) continue;
    const at = { host: door.host, port: door.port };
    const other = open.find((each) => clash(each.at, at));
    open.push({ path, at });
    if (other === undefined) continue;
    report.fault(path, {
      wanted: "an address of its own",
      found: `${formatEndpoint(at)}, and ${other.path.join(".")} is ${formatEndpoint(other.at)}`,
      remedy: "give one of them another port, or write null for the part that is not needed",
    });
  }
}

function clash(a: Endpoint, b: Endpoint): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  return a.host === b.host || takes(a.host, b.host) || takes(b.host, a.host);
}

/** Does whoever listens at `any` take what is meant for `host`? `::` listens to IPv4 as well. */
function takes(any: string, host: string): boolean {
  return any === "::" || (any === "0.0.0.0" && !host.includes(":"));
}
