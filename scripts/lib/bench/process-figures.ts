// What the kernel accounts to a process: processor time, memory, bytes to disk; and bytes on one of its TCP connections.
//
// Sources: /proc/PID/stat, status, io (proc(5)); the kernel's TCP_INFO through `ss`. Null where the machine does not tell.

import * as fs from "node:fs/promises";
import { tryCommand } from "../command.ts";

/** The kernel tells processor time to user space in hundredths of a second, whatever it ticks at. */
const TICK_MS = 10;

export interface ProcessFigures {
  /** All threads, in user space and in the kernel. */
  readonly cpuMs: number;
  /** The kernel's part of it: the sum is exact, the split an estimate by ticks. */
  readonly kernelMs: number;
  readonly rssBytes: number;
  /** Sent towards storage: pages dirtied count when they were dirtied. */
  readonly diskBytes: number | null;
  /** All that ran on its processor, others included; null when it has none for itself. */
  readonly coreBusyMs: number | null;
  readonly wire: WireFigures | null;
}

export interface WireFigures {
  /** The connection's own port: another one means another connection. */
  readonly localPort: number;
  /** TCP payload sent, TLS included; IP and TCP headers are not. */
  readonly bytes: number;
  /** Segments with payload in them: each costs some 52 bytes of headers more on a real line. */
  readonly segments: number;
}

export async function readFigures(pid: number, peerPort: number, core: string | null): Promise<ProcessFigures> {
  const [stat, status, io, machine, wire] = await Promise.all([
    fs.readFile(`/proc/${pid}/stat`, "latin1"),
    fs.readFile(`/proc/${pid}/status`, "latin1"),
    fs.readFile(`/proc/${pid}/io`, "latin1").catch(() => ""), // not ours to read in some containers
    fs.readFile("/proc/stat", "latin1"),
    readWire(pid, peerPort),
  ]);
  const written = /^write_bytes: (\d+)/m.exec(io)?.[1];
  return {
    ...parseCpu(stat),
    rssBytes: Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) * 1024,
    diskBytes: written === undefined ? null : Number(written),
    coreBusyMs: core === null ? null : parseCoreBusyMs(machine, core),
    wire,
  };
}

/** User and system time; the process's name may hold spaces and parentheses, so the fields count from its end. */
export function parseCpu(stat: string): { readonly cpuMs: number; readonly kernelMs: number } {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user, kernel] = [Number(fields[11]) * TICK_MS, Number(fields[12]) * TICK_MS];
  return { cpuMs: user + kernel, kernelMs: kernel };
}

/** A processor's time in anything but idling and waiting for disks. */
export function parseCoreBusyMs(stat: string, core: string): number | null {
  const line = stat.split("\n").find((each) => each.startsWith(`cpu${core} `));
  if (line === undefined) return null;
  const [, user, nice, system, , , irq, softirq, steal] = line.split(" ").map(Number);
  return (user! + nice! + system! + irq! + softirq! + (steal ?? 0)) * TICK_MS;
}

export async function readWire(pid: number, peerPort: number): Promise<WireFigures | null> {
  const filter = ["state", "established", "dport", "=", `:${peerPort}`];
  const answer = await tryCommand("ss", ["-tinpHO", ...filter]).catch(() => undefined); // no iproute2 here
  return answer?.code === 0 ? parseWire(answer.stdout, pid) : null;
}

/** The process's one connection among the lines of `ss -tinpHO`; null when it has none, or several. */
export function parseWire(lines: string, pid: number): WireFigures | null {
  const own = lines.split("\n").filter((line) => line.includes(`pid=${pid},`));
  if (own.length !== 1) return null;
  const field = (name: string) => Number(new RegExp(`\\b${name}:(\\d+)`).exec(own[0]!)?.[1] ?? Number.NaN);
  const localPort = Number(/^\s*\d+\s+\d+\s+\S+:(\d+)\s/.exec(own[0]!)?.[1] ?? Number.NaN);
  const bytes = field("bytes_sent") - (field("bytes_retrans") || 0);
  const segments = field("data_segs_out");
  return Number.isNaN(localPort + bytes + segments) ? null : { localPort, bytes, segments };
}
