// The life of one client's connection as a value, and the pure function that moves it. Drawn in README.md.

/** Why a connection ended. */
export type Ending =
  | "closed" // the client closed it
  | "gone" // the network connection broke
  | "refused" // its CONNECT was, or there were too many connections
  | "breach" // it broke the protocol
  | "expired" // its JWT was good until now
  | "revoked" // its user was changed or taken away
  | "silent" // no CONNECT in time
  | "stale" // pings left unanswered
  | "slow" // it read too slowly
  | "shutdown"; // we are closing

export type Life =
  | { readonly at: "awaiting-connect" }
  | { readonly at: "authenticating" }
  | { readonly at: "connected" }
  | { readonly at: "draining" }
  | { readonly at: "closed"; readonly ending: Ending };

export type LifeEvent =
  | { readonly on: "connect" }
  | { readonly on: "admitted" }
  | { readonly on: "drain" }
  | { readonly on: "end"; readonly ending: Ending };

export const BORN: Life = { at: "awaiting-connect" };
const AUTHENTICATING: Life = { at: "authenticating" };
const CONNECTED: Life = { at: "connected" };
const DRAINING: Life = { at: "draining" };

/** Pure. An event that means nothing here gives back the same life. */
export function step(life: Life, event: LifeEvent): Life {
  switch (event.on) {
    case "connect":
      return life.at === "awaiting-connect" ? AUTHENTICATING : life;
    case "admitted":
      return life.at === "authenticating" ? CONNECTED : life;
    case "drain":
      return life.at === "connected" ? DRAINING : life;
    case "end":
      return life.at === "closed" ? life : { at: "closed", ending: event.ending };
  }
}

/** Nothing more can reach the peer. */
export function isAbrupt(ending: Ending): boolean {
  return ending === "closed" || ending === "gone";
}
