// Does the hub take our login, and where does it put us? A short visit under a name of our own (hub/leaf-visit.ts).

import { isFault } from "#base/errors.ts";
import { LEAF_SAME_CLUSTER } from "#uplink/errors.ts";
import { rejectionOf } from "#uplink/rejection.ts";
import { apart, troubleOf } from "../fault-words.ts";
import { brief, broken, type Draft, fine, skipped } from "../finding.ts";
import { eachHub } from "../hub/each-hub.ts";
import type { HubCase } from "../hub/hub-case.ts";
import { visitHub } from "../hub/leaf-visit.ts";
import type { Scene, Step } from "../scene.ts";
import { fullTrouble } from "./full-hub.ts";

export const loginStep: Step = {
  id: "login",
  title: "the login at the hubs",
  run: (scene, signal) => eachHub(scene, (hub) => logIn(hub, scene, signal)),
};

async function logIn(hub: HubCase, { probe, config }: Scene, signal: AbortSignal): Promise<readonly Draft[]> {
  const serverName = config!.serverName; // there are hubs, so there are settings
  try {
    hub.visit = await visitHub(hub, { serverName, probe, asks: false }, signal, (visit) => Promise.resolve(visit));
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) throw error;
    hub.endedAt = "login";
    const full = fullTrouble(error, hub.target);
    if (full !== undefined && hub.isLinked)
      return [
        skipped(
          hub,
          "the daemon has its link, and the hub allows no second one beside it: the rest is known by the daemon alone",
        ),
      ];
    return [broken(hub, full ?? troubleOf(error))];
  }
  const { info, rttMs, isTls, user } = hub.visit;
  const facts = {
    hub: brief(info.name),
    version: brief(info.version),
    cluster: info.cluster === null ? null : brief(info.cluster),
    account: info.remoteAccount === null ? null : brief(info.remoteAccount),
    user,
    tls: isTls,
    rtt_ms: rttMs === null ? null : Math.round(10 * rttMs) / 10,
    daemon_linked: hub.isLinkedHere,
  };
  if (info.cluster === serverName) {
    // The visitor has another name, so the hub does not object to it; to the daemon it would.
    const { message } = rejectionOf(hub.target, "Remote leafnode has same cluster name").error;
    return [broken(hub, { code: LEAF_SAME_CLUSTER, ...apart(message) }, facts)];
  }
  const account = facts.account === null ? "" : ` to account ${facts.account}`;
  const inClear = isTls ? "" : ", without TLS";
  return [
    fine(hub, `the hub (nats-server ${facts.version}) takes our login${account}${inClear}; round trip ${facts.rtt_ms} ms`, facts),
  ];
}
