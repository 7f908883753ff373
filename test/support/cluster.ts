// A cluster of hubs, fully meshed and, with JetStream, with a leader before the test sees it.

import { freePorts } from "./free-ports.ts";
import { type Hub, type HubOptions, startHub } from "./hub.ts";

export interface Cluster extends AsyncDisposable {
  readonly hubs: readonly Hub[];
  /** One more server joins; resolves when it knows all the others. Ends with the cluster. */
  join(): Promise<Hub>;
}

export type ClusterOptions = Omit<HubOptions, "name">;

/** How often a port may be snatched between our choosing and the server's binding, or the servers may fail to find together. */
const ATTEMPTS = 3;
const READY_TIMEOUT_MS = 30_000;
const NOT_WHOLE = "the cluster did not find together";
const NAME = "hubs";

export function startCluster(size: number, options: ClusterOptions): Promise<Cluster> {
  return withNewPorts(async () => tryCluster(size, options, await freePorts(size)));
}

/** Tries again with other ports where some were taken meanwhile, or where the servers did not find together. */
export async function withNewPorts<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      const { message } = error as Error;
      if (attempt === ATTEMPTS || !(message.includes("address already in use") || message.includes(NOT_WHOLE))) throw error;
    }
  }
}

/** Starts all side by side; owned by `scope` even when one of them fails. */
export async function startAll(scope: AsyncDisposableStack, hubs: readonly HubOptions[]): Promise<Hub[]> {
  const settled = await Promise.allSettled(hubs.map(startHub));
  const started = settled.flatMap((result) => (result.status === "fulfilled" ? [scope.use(result.value)] : []));
  const failed = settled.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return started;
}

async function tryCluster(size: number, options: ClusterOptions, ports: readonly number[]): Promise<Cluster> {
  await using scope = new AsyncDisposableStack();
  const routes = ports.map((port) => `nats-route://127.0.0.1:${port}`);
  const describe = (index: number, port: number | undefined): HubOptions => {
    const others = routes.filter((_, other) => other !== index);
    const cluster = { name: NAME, host: "127.0.0.1", port: port ?? -1, routes: others };
    return { ...options, name: `hub-${index + 1}`, config: { cluster, ...options.config } };
  };
  const hubs = await startAll(
    scope,
    ports.map((port, index) => describe(index, port)),
  );
  const jetstream = options.jetstream ?? false;
  await Promise.all(hubs.map((hub) => meshed(hub, { others: size - 1, ...(jetstream ? { peers: size } : {}) })));
  const owned = scope.move();
  return {
    hubs,
    async join() {
      const [hub] = await startAll(owned, [describe(hubs.length, undefined)]);
      await meshed(hub!, { others: hubs.length });
      hubs.push(hub!);
      return hub!;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** What a server must know before it counts as part of the whole. */
export interface Mesh {
  /** Other servers of its cluster. */
  readonly others: number;
  /** JetStream servers in all, itself included; absent: without JetStream. */
  readonly peers?: number;
  /** Other clusters it has a gateway to. */
  readonly gateways?: readonly string[];
}

interface MetaCluster {
  readonly leader?: string;
  readonly cluster_size?: number;
  readonly replicas?: readonly { readonly current?: boolean; readonly offline?: boolean }[];
}

/** A leader alone is not enough: streams are placed on peers that the leader has heard of. */
function hasPeers(meta: MetaCluster | undefined, size: number, self: string): boolean {
  if (meta?.leader === undefined || meta.cluster_size !== size) return false;
  if (meta.leader !== self) return true;
  const peers = meta.replicas ?? [];
  return peers.length === size - 1 && peers.every(({ current, offline }) => current === true && offline !== true);
}

/** Asks the monitoring port until the server knows all it should, and a JetStream leader where there must be one. */
export async function meshed(hub: Hub, mesh: Mesh): Promise<void> {
  const until = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    // A server whose route port is taken says that it is ready, and ends a moment later.
    const seen = await lookAround(hub, mesh).catch((error: Error) => `does not answer: ${error.message}`);
    if (seen === undefined) return;
    if (performance.now() > until || /address already in use/.test(hub.server.log))
      throw new Error(`nats-server ${hub.server.name} ${seen}; ${NOT_WHOLE}:\n${hub.server.log}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** What it knows, in words; undefined when that is all. */
async function lookAround(hub: Hub, { others, peers, gateways = [] }: Mesh): Promise<string | undefined> {
  const { routes } = (await hub.server.monitor("/routez")) as { routes?: { remote_name?: string }[] };
  const known = new Set((routes ?? []).flatMap(({ remote_name }) => remote_name ?? []));
  const { meta_cluster: meta } = (peers === undefined ? {} : await hub.server.monitor("/jsz")) as { meta_cluster?: MetaCluster };
  const { outbound_gateways: out = {} } = (gateways.length === 0 ? {} : await hub.server.monitor("/gatewayz")) as {
    outbound_gateways?: Readonly<Record<string, unknown>>;
  };
  const isWhole = known.size === others && gateways.every((name) => name in out);
  if (isWhole && (peers === undefined || hasPeers(meta, peers, hub.server.name))) return undefined;
  return `knows ${known.size} of ${others} others, gateways to [${Object.keys(out)}] of [${gateways}], JetStream ${JSON.stringify(meta)}`;
}
