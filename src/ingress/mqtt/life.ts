// The life of one MQTT connection as a value, and the pure function that moves it. Drawn in README.md.

import { CONNECT, DISCONNECT, PINGREQ, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBSCRIBE, UNSUBSCRIBE } from "./packet.ts";
import { REASON } from "./reason-codes.ts";

/** Why a connection ended. Everything but `disconnect`, `refused` and `shutdown` lets the will be heard. */
export type Ending =
  | "disconnect" // the client said goodbye
  | "disconnect-with-will" // it said so with a reason that is not "normal" (5.0)
  | "refused" // its CONNECT was
  | "gone" // the network connection broke or was closed without a goodbye
  | "breach" // it broke the protocol, or asked for what cannot be granted
  | "silent" // nothing came for 1.5 × keep-alive, or no CONNECT in time
  | "stalled" // it stopped reading
  | "full" // a message was refused for lack of room
  | "taken-over" // the same client id connected again
  | "evicted" // somebody in charge of this device ended it, or took its user away
  | "shutdown"; // we are closing

export type Life =
  | { readonly at: "awaiting-connect" }
  | { readonly at: "authenticating" }
  | { readonly at: "connected" }
  | { readonly at: "draining" }
  | { readonly at: "closed"; readonly ending: Ending };

export type LifeEvent =
  | { readonly on: "packet"; readonly type: number }
  | { readonly on: "admitted" }
  | { readonly on: "drain" }
  | { readonly on: "end"; readonly ending: Ending };

/** `handle`: the packet is due now. `unexpected`: it is a breach. `none`: nothing to do. */
export type LifeEffect = "authenticate" | "handle" | "unexpected" | "publish-will" | "drop-will" | "none";

export const BORN: Life = { at: "awaiting-connect" };
const AUTHENTICATING: Life = { at: "authenticating" };
const CONNECTED: Life = { at: "connected" };
const DRAINING: Life = { at: "draining" };

/** What a client may send once it is connected. AUTH is not in it: no method of it is spoken. */
const FROM_CLIENT: ReadonlySet<number> = new Set([
  PUBLISH,
  PUBACK,
  PUBREC,
  PUBREL,
  PUBCOMP,
  SUBSCRIBE,
  UNSUBSCRIBE,
  PINGREQ,
  DISCONNECT,
]);

/** What a 5.0 client is told in DISCONNECT; a breach has a reason of its own, and where nothing is given nothing is sent. */
const GOODBYES: Readonly<Partial<Record<Ending, number>>> = {
  breach: REASON.unspecifiedError,
  silent: REASON.keepAliveTimeout,
  full: REASON.quotaExceeded,
  "taken-over": REASON.sessionTakenOver,
  evicted: REASON.administrativeAction,
  shutdown: REASON.serverShuttingDown,
};

/** Pure. Events that mean nothing here change nothing. */
export function step(life: Life, event: LifeEvent): readonly [Life, LifeEffect] {
  switch (event.on) {
    case "packet":
      if (life.at === "awaiting-connect" && event.type === CONNECT) return [AUTHENTICATING, "authenticate"]; // [MQTT-3.1.0-1]
      if (life.at === "connected" && FROM_CLIENT.has(event.type)) return [life, "handle"]; // a second CONNECT is not in it [MQTT-3.1.0-2]
      return [life, life.at === "draining" || life.at === "closed" ? "none" : "unexpected"];
    case "admitted":
      return life.at === "authenticating" ? [CONNECTED, "none"] : [life, "none"];
    case "drain":
      return life.at === "connected" ? [DRAINING, "none"] : [life, "none"];
    case "end":
      if (life.at === "closed") return [life, "none"];
      return [{ at: "closed", ending: event.ending }, life.at === "connected" ? fateOfWill(event.ending) : "drop-will"];
  }
}

export function goodbyeOf(ending: Ending): number | undefined {
  return GOODBYES[ending];
}

/** [MQTT-3.1.2-8], [MQTT-3.14.4-3], [MQTT5-3.14.4-3]. Closing down ourselves is no news about the device. */
function fateOfWill(ending: Ending): LifeEffect {
  return ending === "disconnect" || ending === "shutdown" || ending === "refused" ? "drop-will" : "publish-will";
}
