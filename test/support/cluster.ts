// A cluster of hubs, fully meshed and, with JetStream, with a leader before the test sees it.

import { freePorts } from "./free-ports.ts";
import { type Hub, type HubOptions, startHub } from "./hub.ts";

export interface Cluster extends AsyncDisposable {
  readonly hubs: readonly Hub[];
}

/** How often a port may be snatched between our choosing and the server's binding, or the servers may fail to find together. */
const ATTEMPTS = 3;
const READY_TIMEOUT_MS = 15_000;
const NOT_WHOLE = "the cluster did not find together";

export async function startCluster(size: number, options: Omit<HubOptions, "name">): Promise<Cluster> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryCluster(size, options, await freePorts(size));
    } catch (error) {
      const { message } = error as Error;
      if (attempt === ATTEMPTS || !(message.includes("address already in use") || message.includes(NOT_WHOLE))) throw error;
    }
  }
}

async function tryCluster(size: number, options: Omit<HubOptions, "name">, ports: readonly number[]): Promise<Cluster> {
  await using scope = new AsyncDisposableStack();
  const routes = ports.map((port) => `nats-route://127.0.0.1:${port}`);
  const starting = ports.map((port, index) => {
    const cluster = { name: "hubs", host: "127.0.0.1", port, routes: routes.filter((_, other) => other !== index) };
    return startHub({ ...options, name: `hub-${index + 1}`, config: { cluster, ...options.config } });
  });
  const settled = await Promise.allSettled(starting);
  const hubs = settled.flatMap((result) => (result.status === "fulfilled" ? [scope.use(result.value)] : []));
  const failed = settled.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  await Promise.all(hubs.map((hub) => meshed(hub, size, options.jetstream ?? false)));
  const owned = scope.move();
  return { hubs, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

interface MetaCluster {
  readonly leader?: string;
  readonly cluster_size?: number;
  readonly replicas?: readonly { readonly current?: boolean; readonly offline?: boolean }[];
}

/** A leader alone is not enough: streams are placed on peers that the leader has heard of. */
function isWhole(meta: MetaCluster | undefined, size: number, self: string): boolean {
  if (meta?.leader === undefined || meta.cluster_size !== size) return false;
  if (meta.leader !== self) return true;
  const peers = meta.replicas ?? [];
  return peers.length === size - 1 && peers.every(({ current, offline }) => current === true && offline !== true);
}

/** Asks the monitoring port until the server knows all the others, and a JetStream leader where there must be one. */
async function meshed(hub: Hub, size: number, jetstream: boolean): Promise<void> {
  const until = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const { routes } = (await hub.server.monitor("/routez")) as { routes?: { remote_name?: string }[] };
    const others = new Set((routes ?? []).flatMap(({ remote_name }) => remote_name ?? []));
    const { meta_cluster: meta } = (jetstream ? await hub.server.monitor("/jsz") : {}) as { meta_cluster?: MetaCluster };
    if (others.size === size - 1 && (!jetstream || isWhole(meta, size, hub.server.name))) return;
    if (performance.now() > until) {
      throw new Error(
        `nats-server ${hub.server.name} knows ${others.size} of ${size - 1} others after ${READY_TIMEOUT_MS} ms, JetStream ${JSON.stringify(meta)}; ${NOT_WHOLE}:\n${hub.server.log}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
