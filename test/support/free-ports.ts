// Ports that nothing listens on right now. Only for where a port must be known before its owner starts (routes of a cluster,
// a daemon that is restarted); everything else listens on port 0 and is asked. They are taken from below the kernel's own range,
// whose ports any connection going out may be given a moment later. Another program may take one all the same: callers that
// can start over do.

import * as fs from "node:fs";
import * as net from "node:net";

/** Above the ports of services, in use or not. */
const FIRST = 10_000;
/** What the kernel gives to outgoing connections and to whoever listens on port 0: from here on (`ip_local_port_range`). */
const KERNELS_FIRST = Number(fs.readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split("\t")[0]);

export async function freePorts(count: number): Promise<number[]> {
  const servers: net.Server[] = [];
  while (servers.length < count) servers.push(await listen());
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Where the kernel's range leaves no room below, on a port of the kernel's choosing. */
async function listen(): Promise<net.Server> {
  for (;;) {
    const port = KERNELS_FIRST > FIRST ? FIRST + Math.floor(Math.random() * (KERNELS_FIRST - FIRST)) : 0;
    const server = net.createServer();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject).listen(port, "127.0.0.1", resolve);
    try {
      await promise;
      return server;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    }
  }
}
