// URLs a hub tells of itself and its cluster (INFO `leafnode_urls`, `ws_connect_urls`): checked like anything a stranger says.
//
// What comes in is `host:port` and nothing else. Scheme, TLS, path and login are those of the URL it was heard on: a hub can name a
// place, it cannot talk us out of TLS, into another login, or onto this device's own ports.

import { isIP } from "node:net";
import type { Endpoint } from "#base/net.ts";
import type { RemoteUrl } from "./remote-url.ts";

const ENTRY_CHARS_MAX = 300;
const HOST_CHARS_MAX = 253;

/** The URL behind one entry, in the manner of `heardOn`; undefined if it is not a place to go to. */
export function tryGossipUrl(entry: string, heardOn: RemoteUrl): RemoteUrl | undefined {
  const endpoint = tryEndpoint(entry);
  if (endpoint === undefined || !mayLead(heardOn.endpoint.host, endpoint.host)) return undefined;
  const authority = endpoint.host.includes(":") ? `[${endpoint.host}]:${endpoint.port}` : `${endpoint.host}:${endpoint.port}`;
  const text = heardOn.text.replace(/^([^:]+:\/\/)(?:\[[^\]]*\]|[^/:]*):\d+/, (_, scheme: string) => `${scheme}${authority}`);
  return Object.freeze({ ...heardOn, endpoint: Object.freeze(endpoint), text });
}

function tryEndpoint(entry: string): Endpoint | undefined {
  if (entry.length > ENTRY_CHARS_MAX) return undefined;
  const [, bracketed, bare, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})$/.exec(entry) ?? [];
  const port = Number(digits);
  if (digits === undefined || port < 1 || port > 65_535) return undefined;
  if (bracketed !== undefined) return isIP(bracketed) === 6 ? { host: canonicalV6(bracketed), port } : undefined;
  const host = bare!.toLowerCase().replace(/\.$/, "");
  return isIP(host) === 4 || isHostName(host) ? { host, port } : undefined;
}

/** A name that ends in a number ("127.1", "0x7f.1") is an address in disguise to some. */
function isHostName(host: string): boolean {
  const labels = host.split(".");
  if (host.length > HOST_CHARS_MAX || /^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1)!)) return false;
  return labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label));
}

function canonicalV6(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

/** Loopback leads to this very device, so only a hub that lives here may name it; nobody listens on the rest. */
function mayLead(from: string, to: string): boolean {
  if (isNowhere(to)) return false;
  return !isLocal(to) || isLocal(from);
}

function isNowhere(host: string): boolean {
  if (isIP(host) === 4) return /^(?:0|22[4-9]|23\d|24\d|25[0-5])\./.test(host);
  return isIP(host) === 6 && (host === "::" || /^ff/.test(host) || /^::ffff:0:0$/.test(host));
}

function isLocal(host: string): boolean {
  if (isIP(host) === 4) return /^(?:127\.|169\.254\.)/.test(host);
  if (isIP(host) === 6) return host === "::1" || /^fe[89ab]/.test(host) || /^::(?:ffff:)?(?:7f|a9fe)/.test(host);
  return host === "localhost" || host.endsWith(".localhost");
}
