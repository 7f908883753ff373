// The device's own readings: looked at every `interval`, and what has changed is published as any other message.
//
//   clock ─▶ readings, all at once ─▶ changes ─▶ one batch ─▶ door
//
// A look never overlaps the next, and a reading that hangs or fails is absent from the report (patient-machine.ts); the rest is published.
// What a look tells is outdated by the next one, so it is not asked to be kept: it passes the outbox rules like a message without QoS.

import type { Clock } from "#base/clock.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import type { TimeKeeper } from "#base/time-keeper.ts";
import { flagsFor, QOS_UNSTATED } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Origin } from "#core/sink.ts";
import { displaySubject, toSubject } from "#core/subject.ts";
import type { AccountRouter, Door } from "#router/router.ts";
import { Changes } from "./changes.ts";
import type { HostMachine } from "./host-machine.ts";
import type { HostValue } from "./host-value.ts";
import type { HostOptions } from "./options.ts";
import { PatientMachine } from "./patient-machine.ts";
import { clockReading } from "./readings/clock.ts";
import { CpuReading } from "./readings/cpu.ts";
import { memoryReading } from "./readings/memory.ts";
import { modemReading } from "./readings/modem.ts";
import { networkReading } from "./readings/network.ts";
import { powerReading } from "./readings/power.ts";
import type { HostReading, ReadingContext } from "./readings/reading.ts";
import { roomReading, wearReading } from "./readings/storage.ts";
import { temperatureReading } from "./readings/temperature.ts";

export interface HostDeps {
  readonly account: AccountRouter;
  readonly serverName: string;
  /** The folder whose disk matters. */
  readonly dataDir: string;
  readonly time: Pick<TimeKeeper, "isTrusted" | "fault">;
  readonly machine: HostMachine;
  readonly clock: Clock;
  readonly log: Log;
}

export interface HostStatus {
  /** Looks that ended, and messages that were published. */
  readonly looks: number;
  readonly messages: number;
  /** What hangs now. */
  readonly hanging: readonly string[];
  readonly lastFault: string | null;
}

const FLAGS = flagsFor(QOS_UNSTATED, false, false);

/** The processor is looked at at once, to have something to compare with; the first report comes after one interval. Never rejects. */
export async function openHost(options: HostOptions, deps: HostDeps): Promise<HostIngress> {
  const ingress = new HostIngress(options, deps);
  ingress.start();
  return ingress;
}

export class HostIngress implements AsyncDisposable {
  readonly #options: HostOptions;
  readonly #deps: HostDeps;
  readonly #machine: PatientMachine;
  readonly #cpu = new CpuReading();
  readonly #readings: readonly HostReading[];
  readonly #changes: Changes;
  readonly #subject: string;
  readonly #hasField: boolean;
  readonly #door: Door;
  readonly #builder = new BatchBuilder();
  readonly #failing = new Set<string>();
  #ticker: Disposable | undefined;
  #isLooking = false;
  #isPaused = false;
  #isClosed = false;
  #looks = 0;
  #messages = 0;
  #lastFault: string | null = null;

  /** Only remembers; `openHost` makes it work. */
  constructor(options: HostOptions, deps: HostDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#machine = new PatientMachine(deps.machine, deps.clock);
    this.#changes = new Changes(options);
    this.#subject = options.subject.replaceAll("{server_name}", toSubject(deps.serverName));
    this.#hasField = this.#subject.includes("{field}");
    this.#readings = [
      this.#cpu,
      memoryReading,
      temperatureReading,
      powerReading,
      roomReading,
      wearReading,
      networkReading,
      modemReading,
      clockReading,
    ];
    this.#door = deps.account.open(this.#origin());
  }

  /** For `openHost`. */
  start(): void {
    void this.#read(this.#cpu, this.#context);
    this.#ticker = this.#deps.clock.every(this.#options.interval, () => void this.look());
  }

  /** One look and one report. A look that is still under way is not overtaken. */
  async look(): Promise<void> {
    if (this.#isLooking || this.#isClosed) return;
    this.#isLooking = true;
    try {
      const values = await this.#gather();
      this.#looks += 1;
      if (!this.#isClosed && !this.#isPaused) this.#publish(values);
    } finally {
      this.#isLooking = false;
    }
  }

  status(): HostStatus {
    return { looks: this.#looks, messages: this.#messages, hanging: this.#machine.hanging, lastFault: this.#lastFault };
  }

  /** A look under way is not waited for: it may hang, and nobody misses it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#ticker?.[Symbol.dispose]();
    this.#machine[Symbol.dispose]();
    this.#door.close();
  }

  /** Never rejects for what the system does. */
  async #gather(): Promise<readonly HostValue[]> {
    const context = this.#context;
    const found = await Promise.all(this.#readings.map((reading) => this.#read(reading, context)));
    return found.flat();
  }

  get #context(): ReadingContext {
    const { time, dataDir } = this.#deps;
    return { machine: this.#machine, time, dataDir };
  }

  async #read(reading: HostReading, context: ReadingContext): Promise<readonly HostValue[]> {
    try {
      const values = await reading.read(context);
      this.#failing.delete(reading.name);
      return values;
    } catch (error) {
      if (!isFault(error)) throw error; // a bug of ours
      this.#lastFault = `${reading.name}: ${explain(error)}`;
      if (!this.#failing.has(reading.name) && !this.#isClosed)
        this.#deps.log.warn(`the device's own readings lack the ${reading.name}: ${explain(error)}`);
      this.#failing.add(reading.name);
      return [];
    }
  }

  #publish(values: readonly HostValue[]): void {
    const { isFull, values: chosen } = this.#changes.select(values);
    if (chosen.length === 0) return;
    const builder = this.#builder;
    builder.beginOwn();
    if (this.#hasField) {
      for (const { name, value, unit } of chosen) {
        const headers = unit === null ? {} : { headers: Buffer.from(`NATS/1.0\r\nPetiole-Unit: ${unit}\r\n\r\n`) };
        const subject = this.#subject.replaceAll("{field}", name);
        builder.add({ subject, payload: Buffer.from(JSON.stringify(value)), flags: FLAGS, ...headers });
      }
    } else {
      builder.add({ subject: this.#subject, payload: Buffer.from(formatReport(isFull, chosen)), flags: FLAGS });
    }
    this.#messages += builder.count;
    this.#door.publish(builder);
  }

  #origin(): Origin {
    return {
      kind: "host",
      label: "host",
      mayPublish: () => true,
      onDenied: (subject) => this.#deps.log.warn(`host.subject ${displaySubject(subject)} may not be published on`),
      onSafe: () => undefined,
      pause: () => {
        this.#isPaused = true; // the next looks are skipped: what they would have told is old by then
      },
      resume: () => {
        this.#isPaused = false;
      },
    };
  }
}

/** `{"full":true,"cpu_busy":{"value":12.5,"unit":"%"},"eth0_state":{"value":"up"}}` */
export function formatReport(isFull: boolean, values: readonly HostValue[]): string {
  const members = values.map(({ name, value, unit }) => [name, unit === null ? { value } : { value, unit }] as const);
  return JSON.stringify({ full: isFull, ...Object.fromEntries(members) });
}
