// `petiole outbox stat`: what is kept, how much room it takes, how old it is, and what was lost so far.

import { recordTime } from "#journal/record.ts";
import type { LossReport } from "#status/report.ts";
import { lossReport } from "#status-report.ts";
import {
  findOutboxes,
  inspectLanes,
  inspectLedger,
  type LaneFolder,
  type OutboxPlace,
  openTimes,
  shownTime,
} from "./outbox-places.ts";
import { printable } from "./printable.ts";
import { formatBytes, formatLoss } from "./status.ts";

export interface OutboxStat {
  readonly remote: string;
  readonly folder: string;
  /** Waiting on flash; what is in a running daemon's memory is not in it. */
  readonly records: number;
  readonly bytes: number;
  readonly lanes: readonly LaneStat[];
  readonly losses: readonly LossReport[];
  readonly ledger_faults: readonly string[];
}

export interface LaneStat {
  readonly class: string;
  readonly records: number;
  readonly bytes: number;
  readonly segments: number;
  /** Highest number that is done with. */
  readonly freed_through: number;
  readonly last_seq: number;
  /** Of what waits, RFC 3339; null: nothing waits, or the clock was never right while it was captured. */
  readonly oldest: string | null;
  readonly newest: string | null;
  readonly damaged: number;
}

type Times = Awaited<ReturnType<typeof openTimes>>;

export async function statOutboxes(place: OutboxPlace): Promise<readonly OutboxStat[]> {
  const times = await openTimes(place);
  const stats: OutboxStat[] = [];
  for (const folder of await findOutboxes(place)) {
    const lanes: LaneStat[] = [];
    for (const lane of await inspectLanes(place, folder)) lanes.push(await statLane(lane, times));
    const { history, faults } = await inspectLedger(place, folder);
    stats.push({
      remote: folder.remote,
      folder: folder.directory,
      records: sum(lanes, ({ records }) => records),
      bytes: sum(lanes, ({ bytes }) => bytes),
      lanes,
      losses: history.totals.list().map(lossReport),
      ledger_faults: faults,
    });
  }
  return stats;
}

/** For people; ends with a line break. */
export function formatStats(stats: readonly OutboxStat[]): string {
  const lines: string[] = [];
  for (const { remote, folder, records, bytes, lanes, losses, ledger_faults } of stats) {
    lines.push(`outbox ${printable(remote)}  ${records} waiting on flash  ${formatBytes(bytes)}  ${printable(folder)}`);
    for (const lane of lanes) {
      if (lane.segments === 0) continue;
      const age = lane.records === 0 ? "" : `  ${lane.oldest ?? "time not known"} to ${lane.newest ?? "time not known"}`;
      const damage =
        lane.damaged === 0
          ? ""
          : `  damaged in ${lane.damaged} ${lane.damaged === 1 ? "place" : "places"}: "petiole outbox verify" says where`;
      const numbers = lane.records === 0 ? "" : `  above ${lane.freed_through}, up to ${lane.last_seq}`;
      lines.push(`  ${lane.class.padEnd(9)}  ${lane.records} waiting  ${formatBytes(lane.bytes)}${numbers}${age}${damage}`);
    }
    lines.push(...losses.map((loss) => `  lost: ${formatLoss(loss)}`));
    lines.push(...ledger_faults.map((fault) => `  ! ${fault}`));
    if (losses.length === 0 && ledger_faults.length === 0) lines.push("  no loss is written down");
  }
  return `${lines.join("\n")}\n`;
}

async function statLane({ urgency, journal }: LaneFolder, times: Times): Promise<LaneStat> {
  const { segments, damaged, freedThrough } = journal;
  const records = sum(segments, ({ live }) => live);
  const newest = segments.filter(({ live }) => live > 0).at(-1);
  return {
    class: urgency,
    records,
    bytes: sum(segments, ({ fileBytes }) => fileBytes),
    segments: segments.length,
    freed_through: freedThrough,
    last_seq: segments.reduce((last, segment) => Math.max(last, segment.lastSeq), freedThrough),
    oldest: await oldestTime(journal, times),
    newest: newest === undefined ? null : knownTime(times(newest.newestTime, newest.boot)),
    damaged: damaged.length,
  };
}

async function oldestTime(journal: LaneFolder["journal"], times: Times): Promise<string | null> {
  for await (const { slab, start, boot } of journal.records()) return knownTime(times(recordTime(slab, start), boot));
  return null;
}

function knownTime(wall: number | undefined): string | null {
  return wall === undefined || !Number.isFinite(wall) ? null : shownTime(wall);
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
