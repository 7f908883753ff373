// Those who mean no good, for `scripts/bench hostile`, a process of its own that takes only the time nobody else wants. Everything here
// goes to loopback addresses of this machine.
//
//   storm      connections, each left as soon as it stands
//   loris      hundreds of connections, each saying a byte of its CONNECT a second
//   claims     a packet that announces 256 MB, then what the socket takes of it
//   passwords  whole CONNECTs with a wrong password
//   bombs      a false hub; see false-hub.ts

import * as net from "node:net";
import { FalseHub } from "./false-hub.ts";
import { connectPacket } from "./mqtt-packets.ts";
import { type Command, serveCommands } from "./worker-channel.ts";

const TICK_MS = 5;
/** Connections under way at the same time, beside those that loris holds: enough that a door that answers late slows no storm down. */
const PENDING_MAX = 4_000;
const LORIS_CONNECTIONS = 500;
const LORIS_MS = 1_000;
const RATES = { storm: 10_000, claims: 500, passwords: 200 } as const;
/** What a CONNECT of 256 MB begins with: the longest length there is. */
const CLAIM = Buffer.concat([Buffer.of(0x10, 0xff, 0xff, 0xff, 0x7f), Buffer.alloc(65_536, "A")]);
/** A connection that is not closed by the other side is left after so long. */
const PATIENCE_MS = 1_000;

interface Target {
  readonly host: string;
  readonly port: number;
  readonly from: readonly string[];
}

const open = new Set<net.Socket>();
let reached = 0;

function dial({ host, port, from }: Target, turn: number, onConnect: (socket: net.Socket) => void): void {
  const socket = net.connect({ host, port, localAddress: from[turn % from.length]!, noDelay: true });
  open.add(socket);
  socket.on("connect", () => {
    reached += 1;
    onConnect(socket);
  });
  socket.on("error", () => undefined).on("close", () => open.delete(socket)); // refused, or thrown out
  socket.resume();
}

function targetOf({ host, port, from }: Command): Target {
  return { host: host as string, port: port as number, from: from as string[] };
}

/** So many a second as far as this process and the gateway's door come; hands back how many it dialled, and how many got through. */
async function offer(command: Command, rate: number, onConnect: (socket: net.Socket) => void): Promise<object> {
  const target = targetOf(command);
  const startedAt = performance.now();
  const endAt = startedAt + (command["seconds"] as number) * 1000;
  let tried = 0;
  reached = 0;
  for (let now = startedAt; now < endAt; now = performance.now()) {
    const due = ((now - startedAt) / 1000) * rate;
    for (; tried < due && open.size < PENDING_MAX; tried++) dial(target, tried, onConnect);
    await sleep(open.size >= PENDING_MAX ? 0 : TICK_MS);
  }
  leave();
  return { made: reached, dialled: tried };
}

function leave(): void {
  for (const socket of open) socket.destroy();
}

function storm(command: Command): Promise<object> {
  return offer(command, RATES.storm, (socket) => void socket.resetAndDestroy());
}

function claims(command: Command): Promise<object> {
  return offer(command, RATES.claims, (socket) => {
    socket.write(CLAIM);
    setTimeout(() => socket.destroy(), PATIENCE_MS).unref();
  });
}

function passwords(command: Command): Promise<object> {
  let turn = 0;
  return offer(command, RATES.passwords, (socket) => {
    turn += 1;
    socket.write(connectPacket(`guess-${turn}`, command["user"] as string, `guess-${turn}`));
    setTimeout(() => socket.destroy(), PATIENCE_MS).unref();
  });
}

async function loris(command: Command): Promise<object> {
  const target = targetOf(command);
  const hello = connectPacket("loris", "loris", "x".repeat(60));
  const endAt = performance.now() + (command["seconds"] as number) * 1000;
  const said = new Map<net.Socket, number>();
  reached = 0;
  for (let i = 0; i < LORIS_CONNECTIONS; i++) dial(target, i, (socket) => void said.set(socket, 0));
  while (performance.now() < endAt) {
    for (const [socket, at] of said) {
      if (socket.destroyed) continue;
      socket.write(hello.subarray(at, at + 1));
      said.set(socket, Math.min(at + 1, hello.length - 2)); // never whole
    }
    await sleep(Math.min(LORIS_MS, endAt - performance.now()));
  }
  const held = [...said.keys()].filter((socket) => !socket.destroyed).length;
  leave();
  return { made: reached, held };
}

async function bombs({ falseHub, seconds }: Command): Promise<object> {
  await using hub = await FalseHub.listen(falseHub as number);
  await sleep((seconds as number) * 1000);
  return { made: hub.bombed, unpackedMib: Math.round(hub.unpackedBytes / 2 ** 20) };
}

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => (ms <= 0 ? setImmediate(resolve) : setTimeout(resolve, ms)));
}

serveCommands({ storm, loris, claims, passwords, bombs });
