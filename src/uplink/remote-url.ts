// The address of a hub: scheme, host, port (7422 unless given), perhaps a login, and for WebSocket perhaps a path.
// Source: spec/leafnode-protocol.md §2.1.

import type { Endpoint } from "#base/net.ts";
import type { Parsed, Schema } from "#base/schema.ts";
import { parsedText } from "#base/schema-text.ts";
import { Secret } from "#base/secret.ts";

/** nats-server's port for leaf connections, whatever the scheme. */
export const LEAF_PORT = 7422;

/** What CONNECT carries. A lone name in a URL is a token (`token@hub`). */
export type Login =
  | { readonly kind: "password"; readonly user: string; readonly password: Secret }
  | { readonly kind: "token"; readonly token: Secret };

const SCHEMES = ["nats", "nats-leaf", "tls", "ws", "wss"] as const;
type Scheme = (typeof SCHEMES)[number];

/** What a hub recognises a leaf by on its WebSocket port: the end of the path (spec §8.1). */
const LEAF_PATH = "/leafnode";

export interface RemoteUrl {
  readonly scheme: Scheme;
  readonly endpoint: Endpoint;
  /** `tls://` and `wss://`: TLS or no connection, whatever the hub announces. */
  readonly isTls: boolean;
  /** `ws://` and `wss://`: TLS, if any, comes first, then the HTTP upgrade (web-socket.ts). */
  readonly isWebSocket: boolean;
  /** Of the upgrade, ends in `/leafnode`; "" where there is none. */
  readonly path: string;
  readonly login: Login | null;
  /** For people and logs: `tls://hub1.example.com:7422`, without the login. */
  readonly text: string;
}

const WANTS = 'a URL such as "tls://hub.example.com:7422"';

export function remoteUrl(): Schema<RemoteUrl> {
  return parsedText(WANTS, { hidesUserInfo: true, bytesMax: 2048 }, parseRemoteUrl);
}

export function parseRemoteUrl(text: string): Parsed<RemoteUrl> {
  const word = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text)?.[1]?.toLowerCase();
  if (word === undefined) return refuse('write the scheme as well, such as "tls://"', "a text without a scheme");
  const scheme = SCHEMES.find((each) => each === word);
  if (scheme === undefined) return refuse("use tls://, wss://, nats://, nats-leaf:// or ws://", `the scheme "${word}"`);
  const isWebSocket = scheme === "ws" || scheme === "wss";
  // An "@" or a "/" that is not percent-encoded would move part of a password into the host's place.
  if (text.split("@").length > 2) return refuse("in a user name or password, write %40 for @");
  let url: URL;
  try {
    url = new URL(`http://${text.slice(scheme.length + 3)}`); // http: so that the host is checked and lower-cased
  } catch {
    return refuse(
      "the host or the port is not well-formed; in a user name or password, write %2F for / and %23 for #",
      "a URL that does not parse",
    );
  }
  if ((url.pathname !== "/" && !isWebSocket) || url.search !== "" || url.hash !== "") {
    return refuse(
      `leave out what follows the ${isWebSocket ? "path" : "port"}; in a user name or password, write %2F for /, %3F for ? and %23 for #`,
      isWebSocket ? "a URL with a query or a fragment" : "a URL with a path",
    );
  }
  if (url.pathname.includes("@")) return refuse("in a user name or password, write %2F for /, and in a path %40 for @");
  const login = tryLogin(url);
  if (login === undefined)
    return refuse("write the user name and password with percent escapes: %25 for %", "user information that does not decode");
  const port = portOf(text, url);
  if (port === 0) return refuse("ports go from 1 to 65535", "port 0");
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const path = isWebSocket ? leafPath(url.pathname) : "";
  return {
    value: Object.freeze({
      scheme,
      endpoint: Object.freeze({ host, port }),
      isTls: scheme === "tls" || scheme === "wss",
      isWebSocket,
      path,
      login,
      text: `${scheme}://${url.hostname}:${port}${path}`,
    }),
  };
}

interface RemoteLogin {
  readonly user: string | null;
  readonly password: Secret | null;
  readonly urls: readonly RemoteUrl[];
}

/**
 * The login for one URL of a remote: the remote's own keys, else the URL's, else the first that any configured URL has
 * (as nats-server does; a URL that the hub told us of never carries one).
 */
export function loginFor(remote: RemoteLogin, url: Pick<RemoteUrl, "login">): Login | null {
  if (remote.user !== null && remote.password !== null) return { kind: "password", user: remote.user, password: remote.password };
  return url.login ?? remote.urls.find((each) => each.login !== null)?.login ?? null;
}

function portOf(text: string, url: URL): number {
  if (url.port !== "") return Number(url.port);
  const [authority] = text.slice(text.indexOf("//") + 2).split(/[/\\]/, 1);
  return /:0*80$/.test(authority!) ? 80 : LEAF_PORT; // the parser drops http's own default port
}

/** The configured path is a prefix, for a proxy in front of the hub, unless it names the leaf already. */
function leafPath(path: string): string {
  const prefix = path.replace(/\/+$/, "");
  return prefix.endsWith(LEAF_PATH) ? prefix : `${prefix}${LEAF_PATH}`;
}

/** undefined: the percent escapes are broken. */
function tryLogin(url: URL): Login | null | undefined {
  try {
    const user = decodeURIComponent(url.username);
    const password = decodeURIComponent(url.password);
    if (user === "") return null;
    if (password === "") return Object.freeze({ kind: "token", token: new Secret(user) });
    return Object.freeze({ kind: "password", user, password: new Secret(password) });
  } catch {
    return undefined;
  }
}

function refuse(remedy: string, found?: string): Parsed<never> {
  return { fault: { remedy, ...(found === undefined ? {} : { found }) } };
}
