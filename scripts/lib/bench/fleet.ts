// A fleet of spokes and one hub that goes away: how fast, and how evenly, does it come back? Real link code, real sockets, one
// process; every link with a server name and a schedule of its own.
//
//   restart    the hub is restarted under a fleet that was at rest
//   flap       and again as soon as the last link is ready: none of them has been up for long
//   away       it is killed and stays away, so that dials fail for a while
//
// Counted: dials (to a hub that is gone they cost it nothing), connections the hub accepted, links that became ready. Dials count at the
// instant they were due: when this one process stands still, all its links are late together, which a real fleet would not be. The
// verdict is over the dials that the hub accepted, as they were due; how long the process stood still is told.

import { AsyncLocalStorage } from "node:async_hooks";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import * as v8 from "node:v8";
import * as vm from "node:vm";
import { type Clock, type Millis, systemClock } from "#base/clock.ts";
import { decode } from "#base/decode.ts";
import { type Net, systemNet } from "#base/net.ts";
import { openS2Codec } from "#s2/codec.ts";
import { Link } from "#uplink/link.ts";
import { type RemoteOptions, remoteOptions } from "#uplink/options.ts";
import { type Hub, LEAF, startHub } from "../../../test/support/hub.ts";
import { linkEnv } from "../../../test/support/link-env.ts";
import { type Curve, curveOf, formatCurve, SHARE_MAX, WINDOW_MS } from "./fleet-figures.ts";

const HELP = `usage: scripts/bench fleet [--links N] [--away S] [--json]

Holds N links (real link code, one process) to one nats-server, takes the hub away in three ways, and shows how the fleet comes back.
The aim: no more than ${SHARE_MAX * 100} % of the fleet in any ${WINDOW_MS} ms. Exit code 1 when it is missed.
  --links N      how many spokes (default 500)
  --away S       how long the hub stays away in the last act, in seconds (default 10)
  --json         a machine-readable answer on standard output

example: scripts/bench fleet --links 200
`;

/** A link that was ready for longer starts over with its first delay (link-state.ts). */
const REST_MS = 10_500;
/** Far above what the slowest link may take. */
const READY_WITHIN_MS = 180_000;
const LINE = "2.15";

interface Act {
  readonly name: string;
  readonly curves: readonly Curve[];
  readonly isWithin: boolean;
  /** Longest time this process stood still. */
  readonly stood_still_ms: number;
}

interface FleetReport {
  readonly links: number;
  readonly nats_server: string;
  readonly bytes_per_link: { readonly rss: number; readonly heap: number; readonly outside: number };
  readonly acts: readonly Act[];
}

export async function benchFleet(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      links: { type: "string", default: "500" },
      away: { type: "string", default: "10" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const report = await measure(count("--links", values.links, 10_000), count("--away", values.away, 600) * 1000, signal);
  process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : format(report));
  if (!report.acts.every(({ isWithin }) => isWithin)) process.exitCode = 1;
}

async function measure(links: number, awayMs: number, signal: AbortSignal): Promise<FleetReport> {
  await using scope = new AsyncDisposableStack();
  const say = (line: string) => void process.stderr.write(`petiole: ${line}\n`);
  const hub = scope.use(await startHub({ version: LINE }));
  const fleet = scope.use(new Fleet(links, remoteTo(hub)));
  const before = memory();
  await fleet.start(signal);
  await pause(1000, signal);
  const after = memory();
  const acts: Act[] = [];
  const act = async (name: string, restMs: number, takeAway: () => Promise<void>) => {
    await pause(restMs, signal);
    say(`${name} …`);
    fleet.forget();
    const stillness = monitorEventLoopDelay({ resolution: 5 });
    stillness.enable();
    await takeAway();
    await fleet.allReady(signal);
    stillness.disable();
    const curves = fleet.curves();
    const isWithin = curves.every(({ name: what, peak }) => what !== "accepted" || peak.share <= SHARE_MAX);
    acts.push({ name, curves, isWithin, stood_still_ms: Math.round(stillness.max / 1e6) });
  };
  await act("the hub restarts", REST_MS, () => hub.server.restart());
  await act("the hub restarts again as soon as all are back", 0, () => hub.server.restart());
  await act(`the hub is away for ${awayMs / 1000} s`, REST_MS, async () => {
    await hub.server.kill();
    await pause(awayMs, signal);
    await hub.server.restart();
  });
  const perLink = (of: keyof ReturnType<typeof memory>) => Math.round((after[of] - before[of]) / links);
  return {
    links,
    nats_server: hub.server.version,
    bytes_per_link: { rss: perLink("rss"), heap: perLink("heap"), outside: perLink("outside") },
    acts,
  };
}

function remoteTo(hub: Hub): RemoteOptions {
  const decoded = decode(remoteOptions, { urls: [hub.leafUrl], user: LEAF.user, password: LEAF.password }, "/nowhere");
  if (!("value" in decoded)) throw new Error(JSON.stringify(decoded.faults));
  return decoded.value;
}

class Fleet implements AsyncDisposable {
  readonly #links: Link[] = [];
  readonly #ready = new Set<number>();
  /** Since the last `forget`; several per link where it tried again. */
  #dials: number[] = [];
  #accepted: number[] = [];
  #readies: number[] = [];
  /** When the first link lost its hub. */
  #lostAt: number | undefined;
  #onAllReady: (() => void) | undefined;

  constructor(links: number, remote: RemoteOptions) {
    const due = new AsyncLocalStorage<Millis>();
    const real = systemNet();
    const net: Net = {
      ...real,
      dial: async (endpoint, signal) => {
        const at = due.getStore() ?? performance.now();
        this.#dials.push(at);
        const stream = await real.dial(endpoint, signal);
        this.#accepted.push(at);
        return stream;
      },
    };
    const env = linkEnv({ clock: clockTelling(due), net, codec: openS2Codec() });
    for (let i = 0; i < links; i++) {
      const identity = { serverName: `gw-${i}`, dataDir: "/nowhere", account: "EDGE" };
      const link = new Link(remote, identity, env, {
        writeInterest: (out) => out.text(`LS+ cmd.${i}.>\r\n`),
        onReady: () => this.#onReady(i, links),
        onDown: () => this.#onDown(i),
        onBatch: () => undefined,
        onInterest: () => undefined,
        onInterestGone: () => undefined,
        onRejected: () => undefined,
        onReceipt: () => undefined,
        onRoom: () => undefined,
      });
      this.#links.push(link);
    }
  }

  async start(signal: AbortSignal): Promise<void> {
    for (const link of this.#links) link.start();
    await this.allReady(signal);
  }

  forget(): void {
    this.#dials = [];
    this.#accepted = [];
    this.#readies = [];
    this.#lostAt = undefined;
  }

  /** Resolves when every link is ready, and has been lost since `forget`. */
  async allReady(signal: AbortSignal): Promise<void> {
    if (this.#ready.size === this.#links.length && this.#readies.length > 0) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#onAllReady = resolve;
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const timer = setTimeout(() => reject(new Error(this.#complaint())), READY_WITHIN_MS);
    await promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    });
  }

  curves(): Curve[] {
    const since = (instants: readonly number[]) => instants.map((at) => at - this.#lostAt!);
    return [
      curveOf("dials", since(this.#dials), this.#links.length),
      curveOf("accepted", since(this.#accepted), this.#links.length),
      curveOf("ready", since(this.#readies), this.#links.length),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#links.map((link) => link[Symbol.asyncDispose]()));
  }

  #onReady(index: number, links: number): void {
    this.#ready.add(index);
    this.#readies.push(performance.now());
    if (this.#ready.size === links) this.#onAllReady?.();
  }

  #onDown(index: number): void {
    if (this.#ready.delete(index)) this.#lostAt ??= performance.now();
  }

  #complaint(): string {
    const late = this.#links.find((_, index) => !this.#ready.has(index));
    return `${this.#ready.size} of ${this.#links.length} links are ready after ${READY_WITHIN_MS / 1000} s; the first of the others says ${JSON.stringify(late?.status())}`;
  }
}

/** The system's clock, but what a timer does knows when it was due. */
function clockTelling(due: AsyncLocalStorage<Millis>): Clock {
  const real = systemClock();
  return {
    ...real,
    after(delay, action) {
      const at = real.now() + delay;
      return real.after(delay, () => due.run(at, action));
    },
  };
}

function memory(): { readonly rss: number; readonly heap: number; readonly outside: number } {
  v8.setFlagsFromString("--expose-gc");
  vm.runInNewContext("gc")();
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { rss, heap: heapUsed, outside: external + arrayBuffers };
}

function format({ links, nats_server: version, bytes_per_link: bytes, acts }: FleetReport): string {
  const kib = (value: number) => `${(value / 1024).toFixed(1)} KiB`;
  const told = acts.map(({ name, curves, isWithin, stood_still_ms: still }) => {
    const verdict = `${isWithin ? "within" : "ABOVE"} ${SHARE_MAX * 100} % in any ${WINDOW_MS} ms; this process stood still for ${still} ms at most`;
    return `${name}: ${verdict}\n${curves.map((curve) => formatCurve(curve, curve.name === "ready")).join("")}`;
  });
  const memoryLine = `memory per link: ${kib(bytes.heap)} of heap, ${kib(bytes.outside)} of buffers; ${kib(bytes.rss)} resident`;
  return `${links} links to nats-server ${version}\n${memoryLine}\n\n${told.join("\n")}`;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  await promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  });
}

function count(option: string, text: string, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > max)
    throw new Error(`${option} wants a number up to ${max}, got "${text}"`);
  return value;
}
