// Shows when isolation was asked for and is not given: then the interest of every other spoke lands on this link, and grows with the fleet.
//
// The sign is `$LDS.`: each spoke and each hub node announces one such subject, so it counts the neighbours one can see. What a spoke
// sees on real servers (2.10.27 and 2.15.1; three other spokes on the same and on another node, before and after it joined):
//
//                                               asked for isolation       not asked
//   one hub, or a cluster of three     2.15     1: the node's own         1 + every other spoke of the cluster
//                                      2.10     as if not asked           1 + every other spoke of the cluster
//   hub that is itself a spoke         2.15     1                         also the upper hub's, and the spokes of that
//                                      2.10     as if not asked           the same
//   super-cluster of two clusters      both     the spokes of the OTHER clusters are seen all the same (with `_GR_.>`)
//
// Whether the other spokes asked for isolation makes no difference. Other nodes of a cluster never show their own `$LDS.`.
// Pure; fed by uplink.ts. Tests: test/unit/uplink/foreign-interest.test.ts, test/integration/isolation.test.ts

import { ISOLATION_SINCE, understandsIsolation } from "./hub-version.ts";

const LOOP_PREFIX = "$LDS.";
/** Announced by every node of a super-cluster. */
const GATEWAY_REPLIES = "_GR_.>";
/** Neighbours counted at most; a fleet may have more. */
const NEIGHBOURS_MAX = 1000;

export interface IsolationFault {
  readonly cause: "too_old" | "other_clusters" | "ignored";
  /** For the log, the page and the doctor. */
  readonly text: string;
}

export class ForeignInterest {
  readonly #isIsolated: boolean;
  readonly #loopSubjects = new Set<string>();
  #hub: { readonly name: string; readonly version: string } | null = null;
  #isSuperCluster = false;

  constructor(isIsolated: boolean) {
    this.#isIsolated = isIsolated;
  }

  /** A new link: the hub has answered CONNECT. */
  onHub(name: string, version: string): void {
    this.onDown();
    this.#hub = { name, version };
  }

  onDown(): void {
    this.#hub = null;
    this.#loopSubjects.clear();
    this.#isSuperCluster = false;
  }

  /** Every interest the hub announces, `$LDS.` included. */
  onInterest(filter: string): void {
    if (filter === GATEWAY_REPLIES) this.#isSuperCluster = true;
    else if (filter.startsWith(LOOP_PREFIX) && this.#loopSubjects.size <= NEIGHBOURS_MAX) this.#loopSubjects.add(filter);
  }

  onInterestGone(filter: string): void {
    this.#loopSubjects.delete(filter);
  }

  /** Other spokes and upper hubs whose interest reaches us. */
  get neighbours(): number {
    return Math.max(0, this.#loopSubjects.size - 1); // the first is the node's own
  }

  /** Ask once the hub's initial interest is complete, and whenever it changed. */
  get fault(): IsolationFault | null {
    const hub = this.#hub;
    if (!this.#isIsolated || hub === null) return null;
    const who = `the hub (${hub.name}, version ${hub.version})`;
    if (!understandsIsolation(hub.version))
      return { cause: "too_old", text: `${who} is too old for isolation (wants ${ISOLATION_SINCE})` };
    if (this.neighbours === 0) return null;
    const count = this.neighbours >= NEIGHBOURS_MAX ? `${NEIGHBOURS_MAX} or more` : `${this.neighbours}`;
    if (this.#isSuperCluster)
      return {
        cause: "other_clusters",
        text: `${who} belongs to a super-cluster: it shows us ${count} spokes of other clusters in spite of isolation, which ends at a gateway`,
      };
    return { cause: "ignored", text: `${who} shows us the interest of ${count} other spokes although isolation was asked for` };
  }
}
