// The far end of the floor's relay, a process of its own: TLS, bytes counted and dropped.
//
//   listen  { cert, key }   paths → { port }
//   wait    { bytes }       resolves when so many have come since the last wait → {}

import * as fs from "node:fs";
import type { AddressInfo } from "node:net";
import * as tls from "node:tls";
import { type Command, serveCommands } from "./worker-channel.ts";

let came = 0;
let wanted = Number.POSITIVE_INFINITY;
let onEnough = (): void => undefined;

function look(): void {
  if (came < wanted) return;
  came -= wanted;
  wanted = Number.POSITIVE_INFINITY;
  onEnough();
}

async function listen({ cert, key }: Command): Promise<object> {
  const server = tls.createServer({ cert: fs.readFileSync(cert as string), key: fs.readFileSync(key as string) }, (socket) => {
    socket.on("error", () => undefined); // the relay is killed at the end
    socket.on("data", (bytes) => {
      came += bytes.length;
      look();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port };
}

async function wait({ bytes }: Command): Promise<object> {
  const { promise, resolve } = Promise.withResolvers<void>();
  onEnough = resolve;
  wanted = bytes as number;
  look();
  await promise;
  return {};
}

serveCommands({ listen, wait });
