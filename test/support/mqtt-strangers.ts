// Connections that never say who they are, in a process of its own: `node mqtt-strangers.ts PORT COUNT BYTES`.
//
// Each one announces a CONNECT of 10,003 bytes and sends BYTES of it, in pieces of 1,000. Says "said" when all have.

import { once } from "node:events";
import * as net from "node:net";

const [port, count, bytes] = process.argv.slice(2).map(Number);
const half = Buffer.alloc(bytes!, 0x61);
half.set([0x10, 0x90, 0x4e]);
await Promise.all(
  Array.from({ length: count! }, async () => {
    const socket = net.connect({ port: port!, host: "127.0.0.1", noDelay: true });
    socket.on("error", () => undefined);
    await once(socket, "connect");
    for (let at = 0; at < bytes!; at += 1000) {
      socket.write(half.subarray(at, at + 1000));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }),
);
process.stdout.write("said\n");
process.stdin.resume(); // until it is ended
