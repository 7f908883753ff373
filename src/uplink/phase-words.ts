// What a phase that took too long means, in plain words.

import type { Millis } from "#base/clock.ts";
import type { Link } from "./link-state.ts";

/** `limit`: what the phase was given. `dialing`: what a dial still waits for. */
export function timeoutText(state: Link, url: string, limit: Millis, dialing: readonly string[]): string {
  const within = `within ${seconds(limit)}`;
  switch (state.at) {
    case "dialing":
      return `hub ${url} did not answer ${within}; check the address, the network and the firewall${dialing.length > 0 ? ` (${dialing.join("; ")})` : ""}`;
    case "securing":
      return `hub ${url} did not finish the TLS handshake ${within}; check tls.handshake_first and the port`;
    case "awaiting-info":
      return `hub ${url} was reached but said nothing for ${seconds(limit)}; if it does TLS first, set tls.handshake_first to true`;
    default:
      return `hub ${url} did not go on with the introduction ${within} (${state.at})`;
  }
}

export function seconds(duration: Millis): string {
  return `${Math.round(duration / 1000)} s`;
}
