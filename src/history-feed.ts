// Looks at the parts every five seconds, for the page's plots and the drain forecast. What was seen stays in memory (status/history.ts).

import { type Clock, timestamp } from "#base/clock.ts";
import { DrainForecast } from "#status/drain-forecast.ts";
import { History, LOOK_EVERY_MS } from "#status/history.ts";
import type { FlashReport, HistoryReport, HistorySpan, LinkMoveReport, OutageReport } from "#status/history-report.ts";
import type { DrainReport, OutboxReport, SerialReport, StatusReport } from "#status/report.ts";
import { WaitingAge } from "#status/waiting-age.ts";
import type { Uplink } from "#uplink/uplink.ts";
import type { PastDesk } from "#web/server/desks.ts";

export type PastUplink = Pick<Uplink, "name" | "outages" | "history">;

/** Where nobody counts. */
const NOTHING_COUNTED: FlashReport = {
  since: "",
  bytes_today: 0,
  bytes_per_day: [],
  life: { written_total_bytes: null, wear_percent: null, years_left: null, from: null },
};

export interface HistorySources {
  readonly clock: Clock;
  /** As they are now: settings may change them. */
  uplinks(): readonly PastUplink[];
  report(): Omit<StatusReport, "health">;
}

export class HistoryFeed implements Disposable {
  readonly #sources: HistorySources;
  readonly #history = new History();
  /** By remote, and by remote and lane. */
  #drains = new Map<string, DrainForecast>();
  /** By remote and lane. */
  #ages = new Map<string, WaitingAge>();
  readonly #timer: Disposable;

  constructor(sources: HistorySources) {
    this.#sources = sources;
    this.#timer = sources.clock.every(LOOK_EVERY_MS, () => this.#look());
  }

  /** Of a lane; without one, of the whole outbox. */
  drain(remote: string, lane?: string): DrainReport | null {
    return this.#drains.get(keyOf(remote, lane))?.report() ?? null;
  }

  /** How long the oldest message of a lane has waited at least; null: none waits. */
  oldestSeconds(remote: string, lane: string): number | null {
    return this.#ages.get(keyOf(remote, lane))?.seconds() ?? null;
  }

  view(span: HistorySpan): Omit<HistoryReport, "flash"> {
    const { clock } = this.#sources;
    const lead = clock.wall() - clock.now();
    const uplinks = this.#sources.uplinks();
    const names = uplinks.map(({ name }) => name);
    const samples = this.#history.samples(span, names, (now) => now + lead);
    const step = this.#history.stepSeconds(span);
    const first = samples.at[0];
    return {
      from: timestamp(first === undefined ? clock.wall() : (first - step) * 1000),
      step_seconds: step,
      samples,
      links: Object.fromEntries(uplinks.map((uplink) => [uplink.name, movesOf(uplink, lead)])),
      outages: uplinks.flatMap((uplink) => outagesOf(uplink, lead)),
    };
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  #look(): void {
    const now = this.#sources.clock.now();
    const { remotes, mqtt, nats, serial, rss_bytes } = this.#sources.report();
    const { user, system } = process.cpuUsage();
    this.#history.add({
      now,
      remotes: remotes.map(({ name, link, outbox }) => ({
        name,
        rtt_ms: link.state === "ready" ? link.rtt_ms : null,
        bytes_in: link.bytes_in,
        bytes_out: link.bytes_out,
        plain_bytes_in: link.plain_bytes_in,
        plain_bytes_out: link.plain_bytes_out,
        depth: outbox.depth,
      })),
      mqtt_in: mqtt?.messages_in ?? 0,
      nats_in: nats?.messages_in ?? 0,
      serial_in: serial.reduce((sum: number, port: SerialReport) => sum + port.messages, 0),
      cpu_ms: (user + system) / 1000,
      rss_bytes,
    });
    const drains = new Map<string, DrainForecast>();
    const ages = new Map<string, WaitingAge>();
    const note = (key: string, what: Pick<OutboxReport, "mode" | "depth" | "held" | "delivered">) => {
      const drain = this.#drains.get(key) ?? new DrainForecast();
      drain.add({ now, mode: what.mode, depth: what.depth, held: what.held, delivered: what.delivered });
      drains.set(key, drain);
    };
    for (const { name, outbox } of remotes) {
      note(keyOf(name), outbox);
      for (const lane of outbox.lanes) {
        const key = keyOf(name, lane.class);
        note(key, lane);
        const age = this.#ages.get(key) ?? new WaitingAge();
        age.add({ now, depth: lane.depth, lastSeq: lane.last_seq, confirmedSeq: lane.confirmed_seq });
        ages.set(key, age);
      }
    }
    this.#drains = drains; // those of remotes that are gone go with them
    this.#ages = ages;
  }
}

export function createPastDesk(feed: HistoryFeed, flash: (() => Promise<FlashReport>) | undefined): PastDesk {
  return {
    async history(span) {
      return { ...feed.view(span), flash: (await flash?.()) ?? NOTHING_COUNTED };
    },
  };
}

function keyOf(remote: string, lane = ""): string {
  return `${lane} ${remote}`;
}

/** `lead`: of the calendar over the clock that never jumps. */
function movesOf({ history }: PastUplink, lead: number): LinkMoveReport[] {
  return [...history].map(({ at, state, url }) => ({ at: timestamp(at + lead), state, url }));
}

function outagesOf({ name, outages }: PastUplink, lead: number): OutageReport[] {
  return outages.list().map(({ from, to, stored, delivered, lost }) => ({
    remote: name,
    from: timestamp(from + lead),
    to: to === null ? null : timestamp(to + lead),
    stored,
    delivered,
    lost,
  }));
}
