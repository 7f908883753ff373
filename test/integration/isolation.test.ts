// Whose interest a spoke sees: of hubs alone, in clusters and in super-clusters, with isolation and without.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { startCluster } from "../support/cluster.ts";
import { CLIENT, LEAF, startHub, type User } from "../support/hub.ts";
import { announced, answering, interestAt, requestUntilServed } from "../support/hub-probes.ts";
import { startSuperCluster } from "../support/super-cluster.ts";
import { openRig } from "../support/uplink-rig.ts";

const RESPONDER: User = {
  user: "responder",
  password: "responder-password",
  permissions: { publish: { allow: ["sensors.>"] }, subscribe: { allow: ["cmd.>"] }, allow_responses: true },
};

for (const version of TESTED_LINES) {
  const understands = version !== "2.10";

  for (const nodes of [1, 3]) {
    const seen = understands ? "it sees no other spoke" : "it sees every other spoke, and says that the hub is too old";
    test(`hub ${version}, ${nodes === 1 ? "single" : "cluster of three"}: of a spoke that asks for isolation, ${seen}`, async () => {
      await using cluster = nodes === 1 ? await single(version) : await startCluster(nodes, { version });
      const last = cluster.hubs.at(-1)!;
      await using other = await openRig({ urls: [last.leafUrlAs(LEAF)], isolated: false }, { name: "other" });
      other.client().subscribe("other.x");
      await using open = await openRig({ urls: [cluster.hubs[0]!.leafUrlAs(LEAF)], isolated: false }, { name: "open" });
      await open.until("the spoke that does not ask sees the other", () => interestAt(open, "other.x"));
      await using isolated = await openRig({ urls: [cluster.hubs[0]!.leafUrlAs(LEAF)] }, { name: "isolated" });
      const fault = () => isolated.uplink.status().isolationFault;
      if (understands) {
        assert.equal(interestAt(isolated, "other.x"), false);
        assert.equal(fault(), null);
      } else {
        await isolated.until("the spoke sees the other although it asked not to", () => interestAt(isolated, "other.x"));
        assert.match(fault()!.text, /^the hub \(hub(-1)?, version 2\.10\.\d+\) is too old for isolation \(wants 2\.12\)$/);
        assert.ok(isolated.log.some((line) => line.includes("too old for isolation")));
      }
      assert.equal(open.uplink.status().isolationFault, null, "who does not ask has nothing to complain of");
    });
  }

  test(`hub ${version}, two clusters joined by gateways: requests cross both ways, and isolation ends at the gateway`, async () => {
    await using world = await startSuperCluster({ west: 1, east: 1 }, { version, users: [CLIENT, LEAF, RESPONDER] });
    const [west, east] = [world.clusters.west[0]!, world.clusters.east[0]!];
    await using near = await openRig({ urls: [west.leafUrlAs(RESPONDER)] }, { name: "near" });
    await using far = await openRig({ urls: [east.leafUrlAs(LEAF)] }, { name: "far" });
    const replies: string[] = [];
    answering(near, "cmd.x", (reply) => replies.push(reply));
    const nats = await east.connect();
    const response = await requestUntilServed(nats, "cmd.x", "across");
    assert.equal(response.string(), "across");
    assert.match(replies.at(-1)!, /^_GR_\./, "answered beyond the publish list, to the very subject it was sent with");
    assert.equal(near.uplink.link.status().connects, 1);
    nats.subscribe("far.echo", { callback: (_, message) => void message.respond(message.data) });
    await announced(far, nats);
    far.client().subscribe("far.x");
    assert.equal((await far.client().request("far.echo", "near itself")).text, "near itself");
    if (!understands) return;
    await near.until("the spoke of the other cluster shows", () => near.uplink.status().isolationFault !== null);
    assert.equal(near.uplink.status().isolationFault!.cause, "other_clusters");
  });
}

async function single(version: Parameters<typeof startHub>[0]["version"]) {
  const hub = await startHub({ version });
  return { hubs: [hub], [Symbol.asyncDispose]: () => hub[Symbol.asyncDispose]() };
}
