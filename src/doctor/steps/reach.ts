// Does the hub's port take a connection, over the proxy where there is one? By the daemon's own dialer, with the addresses it remembers.

import { isIP } from "node:net";
import { isFault, PetioleError } from "#base/errors.ts";
import type { ByteStream } from "#base/net.ts";
import { LEAF_DIAL_FAILED } from "#uplink/errors.ts";
import { discard } from "#uplink/http-exchange.ts";
import { troubleOf } from "../fault-words.ts";
import { broken, type Draft, fine, skipped } from "../finding.ts";
import { eachHub } from "../hub/each-hub.ts";
import type { HubCase } from "../hub/hub-case.ts";
import type { Scene, Step } from "../scene.ts";
import { within } from "../within.ts";

/** The dialer tells what it tried when its own limit is over; ours comes a little later. */
const GRACE_MS = 1_000;

export const reachStep: Step = {
  id: "reach",
  title: "the way to the hubs",
  run: (scene, signal) => eachHub(scene, (hub) => reach(hub, scene, signal)),
};

async function reach(hub: HubCase, { probe, nameless }: Scene, signal: AbortSignal): Promise<readonly Draft[]> {
  const { clock } = probe.env;
  const { target, choice, remote } = hub;
  const host = (remote.proxy?.url ?? choice.url).endpoint.host;
  const startedAt = clock.now();
  const limit = probe.limits.dial + (remote.proxy?.timeout ?? 0) + GRACE_MS;
  const late = () =>
    new PetioleError(LEAF_DIAL_FAILED, `cannot reach hub ${target}: no answer within ${limit / 1000} s`, { remedy: "retry" });
  let stream: ByteStream;
  try {
    stream = await within({ clock, limit, signal, late }, (inner) => hub.transport.connect(choice, inner));
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) throw error;
    hub.endedAt = "reach";
    const trouble = troubleOf(error);
    if (trouble.detail === "DNS" && nameless.has(host)) {
      hub.endedAt = "dns";
      return [skipped(hub, `not tried, for ${host} has no address and none is remembered`)];
    }
    return [broken(hub, trouble)];
  }
  const address = stream.remoteAddress ?? (isIP(host) === 0 ? null : host);
  discard(stream);
  const took = Math.round(10 * (clock.now() - startedAt)) / 10;
  const by = remote.proxy === null ? "" : ` through the proxy ${remote.proxy.url.text}`;
  return [
    fine(hub, `the port answers${by} after ${took} ms`, { address, connect_ms: took, proxy: remote.proxy?.url.text ?? null }),
  ];
}
