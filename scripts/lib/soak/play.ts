// The minutes of a soak. Each is the same:
//
//   :00 ──── :05 a sensor is unplugged ──── :15 plugged in ──── :20 the line is cut ──── :35 whole ──── :55 all is well: a sample

import { pause } from "../demo/child.ts";
import type { Tally } from "../demo/ledger.ts";
import { demoFolder, prepareMachine } from "../demo/preparation.ts";
import { openSite, replug, type Site } from "./site.ts";
import { type Growths, judgeGrowth, type Sample, warmUpMinutes } from "./verdict.ts";

const MINUTE_MS = 60_000;
const AT = { unplugMs: 5_000, plugMs: 15_000, cutMs: 20_000, healMs: 35_000, sampleMs: 55_000 } as const;
/** What an outbox may take to be empty after the line is whole, and in the end. */
const DRAINED_WITHIN_MS = 60_000;

export interface SoakVerdict extends Tally {
  readonly minutes: number;
  readonly sources: Readonly<Record<string, Tally>>;
  /** Times the link was made. */
  readonly links: number;
  readonly growth: Growths;
  readonly samples: readonly Sample[];
  readonly ok: boolean;
}

/** Rejects when it cannot be played to its end. */
export async function playSoak(minutes: number, say: (line: string) => void, stop: AbortSignal): Promise<SoakVerdict> {
  const fault = new AbortController();
  const over = new AbortController();
  const signal = AbortSignal.any([stop, fault.signal, over.signal]);
  await using scope = new AsyncDisposableStack();
  const folder = scope.use(demoFolder());
  try {
    const binary = await prepareMachine(folder.path, say, signal);
    const site = scope.use(await openSite(binary, folder.path, signal, (why) => fault.abort(why)));
    say(`soaking for ${minutes} minutes against nats-server ${site.hub.version}`);
    const samples = await playMinutes(site, minutes, say, signal);
    await site.fallSilent();
    await drained(site, signal, true);
    return await conclude(site, minutes, samples);
  } finally {
    over.abort(new Error("the soak is over")); // a program that ends from here on was told to
  }
}

async function playMinutes(site: Site, minutes: number, say: (line: string) => void, signal: AbortSignal): Promise<Sample[]> {
  const samples: Sample[] = [];
  const startedAt = performance.now();
  for (let minute = 0; minute < minutes; minute++) {
    const until = (ms: number) => pause(startedAt + minute * MINUTE_MS + ms - performance.now(), signal);
    const sensor = site.sensors[minute % site.sensors.length]!;
    await until(AT.unplugMs);
    await sensor.unplug();
    await until(AT.plugMs);
    await replug(sensor, site.daemon, signal);
    await until(AT.cutMs);
    site.line.stall();
    site.line.reset();
    await until(AT.healMs);
    site.line.heal();
    site.line.reset();
    await drained(site, signal, false);
    await until(AT.sampleMs);
    const sample = { minute, ...(await site.held()) };
    samples.push(sample);
    say(lineOf(sample));
    await until(MINUTE_MS);
  }
  return samples;
}

/** The outbox is empty and, at the end, everything is acknowledged and the hub has told us of all it holds. */
async function drained(site: Site, signal: AbortSignal, isEnd: boolean): Promise<void> {
  const deadline = performance.now() + DRAINED_WITHIN_MS;
  for (;;) {
    const { link, outbox } = (await site.daemon.status()).remotes[0]!;
    const isEmpty =
      link.state === "ready" && (isEnd ? outbox.depth === 0 && site.unacknowledged() === 0 : outbox.mode === "direct");
    if (isEmpty && (!isEnd || (await site.hub.isReadToTheEnd()))) return;
    if (performance.now() > deadline)
      throw new Error(
        `${DRAINED_WITHIN_MS / 1000} s after the line was whole the outbox still holds ${outbox.depth} messages, the link is ${link.state}. The daemon's last words:\n${site.daemon.log(20)}`,
      );
    await pause(100, signal);
  }
}

async function conclude(site: Site, minutes: number, samples: readonly Sample[]): Promise<SoakVerdict> {
  const entries = Object.entries(site.ledgers).map(([name, all]) => [name, sumOf(all.map((ledger) => ledger.tally()))] as const);
  const total = sumOf(entries.map(([, tally]) => tally));
  const growth = judgeGrowth(samples.filter(({ minute }) => minute >= warmUpMinutes(minutes)));
  const grown = Object.values(growth).some(({ grows }) => grows);
  const allSpoke = entries.every(([, { published }]) => published > 0);
  return {
    minutes,
    ...total,
    sources: Object.fromEntries(entries),
    links: (await site.daemon.status()).remotes[0]!.link.connects,
    growth,
    samples,
    ok: !grown && allSpoke && total.lost === 0 && total.duplicated === 0,
  };
}

function sumOf(tallies: readonly Tally[]): Tally {
  const sum = (of: keyof Tally) => tallies.reduce((total, tally) => total + tally[of], 0);
  return { published: sum("published"), delivered: sum("delivered"), lost: sum("lost"), duplicated: sum("duplicated") };
}

function lineOf({ minute, heap_bytes, external_bytes, rss_bytes, open_files, handles, listeners }: Sample): string {
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(2)} MiB`;
  return `minute ${minute + 1}: heap ${mib(heap_bytes)}, outside ${mib(external_bytes)}, RSS ${mib(rss_bytes)}, ${open_files} files, ${handles} handles, ${listeners} listeners`;
}
