// The MQTT load, a process of its own: publishers, subscribers and idle clients on raw sockets.

import { BenchClient } from "./mqtt-bench-client.ts";
import { MqttSite, type SiteOptions } from "./mqtt-site.ts";
import { percentile } from "./statistics.ts";
import { serveCommands } from "./worker-channel.ts";

const SILENT = { onMessage: () => undefined, onAcked: () => undefined, onChunk: () => undefined };

let site: MqttSite | undefined;
let idle: BenchClient[] = [];

serveCommands({
  open: async (command) => {
    site = await MqttSite.open(command as unknown as SiteOptions);
    return {};
  },
  saturate: async ({ count }) => await site!.saturate(count as number),
  pace: async ({ rate, seconds }) => {
    const times = await site!.pace(rate as number, seconds as number);
    return times.length === 0 ? {} : { p50Ms: percentile(times, 50), p99Ms: percentile(times, 99) };
  },
  close: () => {
    site?.[Symbol.dispose]();
    site = undefined;
    return {};
  },
  idle: async ({ port, count }) => {
    for (let i = 0; i < (count as number); i++) {
      const benchClient = await BenchClient.open(port as number, `idle-${i}`, SILENT);
      idle.push(benchClient);
      await benchClient.subscribe(`idle/${i}/cmd`, 0);
    }
    return {};
  },
  leave: () => {
    for (const benchClient of idle) benchClient[Symbol.dispose]();
    idle = [];
    return {};
  },
});
