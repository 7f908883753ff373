// Clusters of hubs joined by gateways, fully meshed and, with JetStream, with one leader for all of them before the test sees it.
//
//   await using world = await startSuperCluster({ west: 2, east: 3 }, { version: "2.15", jetstream: true });
//   // world.clusters.west[0].leafUrl …
//
// JetStream decides by majority over all servers: the larger cluster goes on when the smaller one is lost, not the other way round.

import { type ClusterOptions, meshed, startAll, withNewPorts } from "./cluster.ts";
import { freePorts } from "./free-ports.ts";
import type { Hub, HubOptions } from "./hub.ts";

export interface SuperCluster<Name extends string> extends AsyncDisposable {
  readonly clusters: Readonly<Record<Name, readonly Hub[]>>;
}

interface Place<Name extends string> {
  readonly cluster: Name;
  readonly index: number;
  readonly routePort: number;
  readonly gatewayPort: number;
}

/** Sizes by cluster name. Servers are named `<cluster>-1` and so on. */
export function startSuperCluster<Name extends string>(
  sizes: Readonly<Record<Name, number>>,
  options: ClusterOptions,
): Promise<SuperCluster<Name>> {
  return withNewPorts(() => trySuperCluster(sizes, options));
}

async function trySuperCluster<Name extends string>(
  sizes: Readonly<Record<Name, number>>,
  options: ClusterOptions,
): Promise<SuperCluster<Name>> {
  const names = Object.keys(sizes) as Name[];
  const total = names.reduce((sum, name) => sum + sizes[name], 0);
  const ports = await freePorts(total * 2);
  const places = names.flatMap((cluster) =>
    Array.from({ length: sizes[cluster] }, (_, index): Place<Name> => {
      return { cluster, index, routePort: ports.pop()!, gatewayPort: ports.pop()! };
    }),
  );
  await using scope = new AsyncDisposableStack();
  const hubs = await startAll(
    scope,
    places.map((place) => describe(place, places, options)),
  );
  await Promise.all(
    hubs.map((hub, i) => {
      const { cluster } = places[i]!;
      const gateways = names.filter((name) => name !== cluster);
      return meshed(hub, { others: sizes[cluster] - 1, gateways, ...(options.jetstream ? { peers: total } : {}) });
    }),
  );
  const owned = scope.move();
  const entries = names.map((name) => [name, hubs.filter((_, i) => places[i]!.cluster === name)] as const);
  return {
    clusters: Object.fromEntries(entries) as unknown as Record<Name, readonly Hub[]>,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** All peers are named in every configuration: JetStream counts them before it elects. */
function describe<Name extends string>(place: Place<Name>, places: readonly Place<Name>[], options: ClusterOptions): HubOptions {
  const host = "127.0.0.1";
  const mates = places.filter(({ cluster, index }) => cluster === place.cluster && index !== place.index);
  const others = [...new Set(places.map(({ cluster }) => cluster))].filter((cluster) => cluster !== place.cluster);
  const cluster = {
    name: place.cluster,
    host,
    port: place.routePort,
    routes: mates.map(({ routePort }) => `nats-route://${host}:${routePort}`),
  };
  const gateway = {
    name: place.cluster, // the same name as the cluster's: nats-server insists
    host,
    port: place.gatewayPort,
    gateways: others.map((name) => ({
      name,
      urls: places.filter((each) => each.cluster === name).map(({ gatewayPort }) => `nats://${host}:${gatewayPort}`),
    })),
  };
  return { ...options, name: `${place.cluster}-${place.index + 1}`, config: { cluster, gateway, ...options.config } };
}
