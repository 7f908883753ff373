// The subscriber at the hub, a process of its own: a raw NATS connection that counts.

import * as net from "node:net";
import { Arrivals } from "./arrivals.ts";
import { percentile } from "./statistics.ts";
import { type Command, nowNs, serveCommands } from "./worker-channel.ts";

const READ_BYTES = 262_144;
const LOOK_MS = 5;

const arrivals = new Arrivals();
let lastAt = 0;
/** 0: nothing yet. */
let firstAt = 0;
let base = 0;
let closed = "";
let ready = Promise.withResolvers<void>();

/** Subscribes to one subject or several and resolves once the hub has answered a PING sent after the SUB. */
async function connect({ port, user, password, subject }: Command): Promise<object> {
  const socket = net.connect({
    host: "127.0.0.1",
    port: port as number,
    noDelay: true,
    onread: {
      buffer: Buffer.alloc(READ_BYTES),
      callback: (bytes, buffer) => {
        const now = nowNs();
        const before = arrivals.count;
        arrivals.feed(buffer.subarray(0, bytes), now);
        if (arrivals.count > before) {
          lastAt = now; // the hub's PINGs are no arrivals
          firstAt ||= now;
        }
        for (; arrivals.pings > 0; arrivals.pings--) socket.write("PONG\r\n");
        ready.resolve();
        return true;
      },
    },
  });
  socket.on("error", (error) => (closed = error.message)).on("close", () => (closed ||= "the hub closed the connection"));
  const login = { user, pass: password, verbose: false, pedantic: false, headers: true, lang: "bench", version: "1" };
  await ready.promise; // its INFO
  ready = Promise.withResolvers();
  socket.write(`CONNECT ${JSON.stringify(login)}\r\n${subscriptions(subject as string | string[])}PING\r\n`);
  await ready.promise; // its PONG, or a complaint
  if (arrivals.error !== undefined) throw new Error(`the hub said ${arrivals.error}`);
  return {};
}

function subscriptions(subject: string | string[]): string {
  return [subject]
    .flat()
    .map((each, index) => `SUB ${each} ${index + 1}\r\n`)
    .join("");
}

function reset({ stamps }: Command): object {
  base = arrivals.count;
  arrivals.latencies.length = 0;
  arrivals.stamps.length = 0;
  arrivals.hasStamps = stamps === true;
  lastAt = nowNs();
  firstAt = 0;
  return {};
}

/** Resolves when `count` have arrived since the reset, or nothing has for `quietMs`. */
async function wait({ count, quietMs }: Command): Promise<object> {
  const wanted = base + (count as number);
  while (
    arrivals.count < wanted &&
    (nowNs() - lastAt) / 1e6 < (quietMs as number) &&
    closed === "" &&
    arrivals.error === undefined
  ) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  const complaint = arrivals.error ?? closed;
  if (complaint !== "") throw new Error(`the hub dropped the subscriber: ${complaint}`);
  return { arrived: arrivals.count - base, firstAt, lastAt, latencyMs: latencies() };
}

function latencies(): object | null {
  if (arrivals.latencies.length === 0) return null;
  const sorted = Float64Array.from(arrivals.latencies, (ns) => ns / 1e6).sort();
  return { p50: percentile(sorted, 50), p99: percentile(sorted, 99), max: sorted.at(-1) };
}

/** Each stamped message since the reset: when it was sent, and how long it took, in nanoseconds. */
function tell(): object {
  return { stamps: arrivals.stamps, latencies: arrivals.latencies };
}

serveCommands({ connect, reset, wait, tell });
