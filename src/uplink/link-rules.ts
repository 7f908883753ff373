// What the state machine of a link goes by: must there be TLS, and how long may each step take? Pure.

import type { LinkRules, Link as LinkState } from "./link-state.ts";
import type { RemoteOptions } from "./options.ts";
import type { Patience } from "./patience.ts";
import type { RemoteUrl } from "./remote-url.ts";

/** A tls:// or wss:// URL or a tls block means TLS or no connection (DESIGN §4.6). */
export function wantsTls(remote: RemoteOptions, url: RemoteUrl): boolean {
  return remote.tls !== null || url.isTls;
}

/** `urls`: how many make a round; `patience`: with a line like this. */
export function rulesFor(remote: RemoteOptions, url: RemoteUrl, state: LinkState, urls: number, patience: Patience): LinkRules {
  // A dial moves on to the next URL before it connects, so `waiting` never reads this for the wrong one.
  const rounds = "attempt" in state ? Math.floor(state.attempt / urls) : 0;
  return {
    tls: tlsRule(remote, url),
    transport: url.isWebSocket ? "websocket" : "tcp",
    urls,
    backoff: remote.reconnect,
    dialTimeout: patience.dialTimeout(rounds) + (remote.proxy?.timeout ?? 0),
    phaseTimeout: patience.phaseTimeout(rounds),
  };
}

function tlsRule(remote: RemoteOptions, url: RemoteUrl): LinkRules["tls"] {
  if (url.isWebSocket) return wantsTls(remote, url) ? "first" : "never";
  if (remote.tls?.handshakeFirst) return "first";
  return wantsTls(remote, url) ? "required" : "if-asked";
}
