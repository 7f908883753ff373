// The stage while the play runs: looks at the spoke four times a second, draws a line each second, moves the cable.

import type { StatusReport } from "#status/report.ts";
import type { LinkCutter } from "../../../test/support/link-cutter.ts";
import type { Arrivals } from "./arrivals.ts";
import { pause } from "./child.ts";
import type { Hub } from "./hub.ts";
import type { Screen } from "./screen.ts";
import type { Spoke } from "./spoke.ts";

export interface Stage {
  readonly cable: LinkCutter;
  readonly spoke: Spoke;
  readonly hub: Hub;
  readonly arrivals: Arrivals;
  readonly screen: Screen;
  readonly signal: AbortSignal;
}

const MOMENT_MS = 250;
/** Draining is given up when nothing has moved for so long. */
const STANDSTILL_MS = 60_000;

interface Counts {
  readonly at: number;
  readonly mqtt: number;
  readonly serial: number;
  readonly arrived: number;
}

export class Scene {
  readonly #stage: Stage;
  readonly #startedAt = performance.now();
  #before: Counts = { at: 0, mqtt: 0, serial: 0, arrived: 0 };
  #isCut = false;
  #isFaultTold = true;
  cuts = 0;
  outboxPeak = 0;
  slowestAckMs = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** Copies that reached the hub and not the stream. */
  get doubles(): number {
    return this.#stage.arrivals.arrived - this.#stage.arrivals.stored;
  }

  onAcknowledged(n: number, ms: number): void {
    this.#stage.arrivals.mqtt.published(n);
    this.slowestAckMs = Math.max(this.slowestAckMs, ms);
  }

  lastWords(): string {
    return this.#stage.spoke.log(20);
  }

  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.#isFaultTold = false;
    this.cuts += 1;
    this.#stage.cable.stall(); // who dials now hears nothing …
    this.#stage.cable.reset(); // … and who is connected knows at once, so that a short demo need not wait for a missing PONG
    this.#stage.screen.event("the cable is cut", ["bold", "red"]);
  }

  heal(): void {
    if (!this.#isCut) return;
    this.#isCut = false;
    this.#stage.cable.heal();
    this.#stage.cable.reset(); // dials that hung meanwhile: the hub has given them up long ago
    this.#stage.screen.event("the cable is whole again", ["bold", "green"]);
  }

  /** Waits for the next quarter of a second, and looks around. */
  async moment(): Promise<StatusReport> {
    const { signal } = this.#stage;
    await pause((Math.floor(this.elapsedMs / MOMENT_MS) + 1) * MOMENT_MS - this.elapsedMs, signal);
    const report = await this.#stage.spoke.status();
    signal.throwIfAborted();
    const { link, outbox } = report.remotes[0]!;
    this.outboxPeak = Math.max(this.outboxPeak, outbox.depth);
    if (link.state !== "ready" && link.last_error !== null && !this.#isFaultTold) {
      this.#isFaultTold = true;
      this.#stage.screen.event(`the spoke says: ${report.health.reasons[0] ?? link.last_error.message}`, "dim");
    }
    if (this.elapsedMs - this.#before.at >= 1000 - MOMENT_MS / 2) this.#draw(report);
    return report;
  }

  /** The sources are silent: waits until the outbox is empty and the hub has everything, or nothing moves any more. */
  async drain(unacknowledged: () => number): Promise<boolean> {
    const { arrivals, hub } = this.#stage;
    let movedAt = this.elapsedMs;
    let before = "";
    for (;;) {
      const report = await this.moment();
      const { depth } = report.remotes[0]!.outbox;
      const missing = arrivals.mqtt.tally().lost + arrivals.serial.tally().lost;
      const isDrained = depth === 0 && unacknowledged() === 0;
      if (isDrained && missing === 0 && (await hub.isReadToTheEnd())) {
        this.#draw(report);
        return true;
      }
      const now = [depth, missing, unacknowledged(), arrivals.stored].join();
      if (now !== before) movedAt = this.elapsedMs;
      before = now;
      if (this.elapsedMs - movedAt > STANDSTILL_MS) return isDrained;
    }
  }

  #draw(report: StatusReport): void {
    const { arrivals, screen } = this.#stage;
    const { link, outbox } = report.remotes[0]!;
    const at = this.elapsedMs;
    const now: Counts = {
      at,
      mqtt: arrivals.mqtt.tally().published,
      serial: report.serial[0]!.frames,
      arrived: arrivals.arrived,
    };
    const perSecond = (of: "mqtt" | "serial" | "arrived") => ((now[of] - this.#before[of]) * 1000) / (at - this.#before.at);
    screen.row({
      seconds: Math.round(at / 1000),
      isLinkUp: link.state === "ready",
      mqttRate: perSecond("mqtt"),
      serialRate: perSecond("serial"),
      hubRate: perSecond("arrived"),
      outbox: outbox.depth,
      stored: arrivals.stored,
      latest: arrivals.latest,
    });
    arrivals.nextSecond();
    this.#before = now;
  }
}
