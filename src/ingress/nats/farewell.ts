// What the log says when a connection has ended: everyday ends quietly, the others once in a while for each peer.

import type { Facts } from "#base/log.ts";
import type { NatsContext } from "./context.ts";
import type { Ending } from "./life.ts";

/** Endings that are everyday life. */
const QUIET: ReadonlySet<Ending> = new Set(["closed", "gone", "shutdown"]);

/** `label`: the client's, if it was let in. */
export function sayFarewell(
  { log, voice }: NatsContext,
  who: { readonly label: string | undefined; readonly address: string; readonly facts: Facts },
  ending: Ending,
  words: string,
): void {
  const { label, address } = who;
  const facts = { ...who.facts, ending };
  if (label === undefined && QUIET.has(ending)) log.debug(`connection closed before CONNECT: ${words}`, facts);
  else if (QUIET.has(ending)) log.info(`client disconnected: ${words}`, facts);
  else if (label === undefined) voice.warn(`${ending} ${address}`, `NATS connection refused: ${words}`, facts);
  else voice.warn(`${ending} ${label}`, `client cut off: ${words}`, facts);
}
