// The one device of `scripts/bench hostile` that means well, a process of its own: QoS 1 at a steady pace, an open loop. A PUBACK's time
// counts from the moment at which its message was due.

import * as net from "node:net";
import { connectPacket, publishBlock } from "./mqtt-packets.ts";
import { percentile } from "./statistics.ts";
import { type Command, nowNs, serveCommands } from "./worker-channel.ts";

const PACKETS = 1_000;
const PUBACK = 0x40;
const PUBACK_BYTES = 4;
const TICK_MS = 2;
/** How long the last PUBACKs may take: far longer than any should, so that one that is late is told from one that never comes. */
const GRACE_MS = 10_000;

const block = publishBlock(0, 1, PACKETS);
/** When each message without a PUBACK was due, by packet id. */
const pending = new Map<number, number>();
/** Goes on from run to run: a PUBACK that comes after its run counts for no other. */
let turn = 0;
let socket: net.Socket | undefined;
let fault = "";
let rest: Buffer = Buffer.alloc(0);
let times: number[] = [];
/** 0: none in this run. */
let lastAckAt = 0;

async function connect({ port, user, password }: Command): Promise<object> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket = net.connect({ host: "127.0.0.1", port: port as number, noDelay: true });
  socket.on("error", (error) => reject((fault = error.message))).on("close", () => reject((fault ||= "the broker closed it")));
  socket.once("data", (connack) => {
    socket!.on("data", onBytes);
    if (connack[3] === 0) resolve();
    else reject(new Error(`CONNACK says ${connack[3]}`));
  });
  socket.write(connectPacket("bench-good", user as string, password as string));
  await promise;
  return {};
}

function onBytes(chunk: Buffer): void {
  const now = nowNs();
  const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
  let at = 0;
  for (; at + PUBACK_BYTES <= bytes.length; at += PUBACK_BYTES) {
    if (bytes[at] !== PUBACK) throw new Error(`wanted a PUBACK, got a packet of type ${bytes[at]! >> 4}`);
    const packetId = bytes.readUInt16BE(at + 2);
    const due = pending.get(packetId);
    if (due === undefined) continue;
    pending.delete(packetId);
    times.push((now - due) / 1e6);
    lastAckAt = now;
  }
  rest = Buffer.from(bytes.subarray(at));
}

async function run({ rate, seconds }: Command): Promise<object> {
  const count = (rate as number) * (seconds as number);
  const stepNs = 1e9 / (rate as number);
  const late: number[] = [];
  times = [];
  lastAckAt = 0;
  const startedAt = nowNs();
  for (let sent = 0; sent < count && fault === ""; await sleep(TICK_MS)) {
    for (; sent < count && startedAt + sent * stepNs <= nowNs(); sent++) {
      const due = startedAt + sent * stepNs;
      late.push((nowNs() - due) / 1e6);
      const packet = turn++ % PACKETS;
      pending.set(packet + 1, due);
      socket!.write(block.bytes.subarray(packet * block.packetBytes, (packet + 1) * block.packetBytes));
    }
  }
  for (const end = nowNs() + GRACE_MS * 1e6; times.length < count && fault === "" && nowNs() < end; ) await sleep(TICK_MS);
  const acked = times.length;
  for (const due of pending.values()) times.push((nowNs() - due) / 1e6); // so long at least
  pending.clear();
  const sorted = Float64Array.from(times).sort();
  const lateness = Float64Array.from(late).sort();
  const known = sorted.length > 0;
  return {
    sent: late.length,
    acked,
    fault,
    p50Ms: known ? percentile(sorted, 50) : null,
    p99Ms: known ? percentile(sorted, 99) : null,
    maxMs: sorted.at(-1) ?? null,
    lateP99Ms: percentile(lateness, 99),
    lastAckMs: lastAckAt === 0 ? null : (lastAckAt - startedAt) / 1e6,
  };
}

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

serveCommands({ connect, run });
