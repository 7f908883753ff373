// `scripts/bench site`: what a gateway costs in daily life. A typical site and a big one, at the spoke, at nats-server as leaf with its
// own MQTT, and at mosquitto with a bridge; TLS first and S2 to the hub where the system knows them.
//
//   devices, serial ports, NATS clients ─▶ gateway ─▶ TLS, S2 ─▶ hub ─▶ subscriber          one gateway at a time under load
//
// An open loop: times count from the moment at which a reading was due. Peers have no serial ports: what is read there comes to them as
// MQTT of four devices more, and whoever reads the ports is not counted; mosquitto has no NATS clients, and gets theirs the same way.

import type { Arrived } from "./bench-site.ts";
import { chooseCores } from "./cores.ts";
import { readAwake } from "./idle-figures.ts";
import { mosquittoVersion, startBridge } from "./mosquitto-bridge.ts";
import { watchMachine } from "./part-facts.ts";
import { parsePart, whole } from "./part-options.ts";
import { type ProcessFigures, readFigures } from "./process-figures.ts";
import { cables, farEnd } from "./serial.ts";
import type { SiteSent, Source } from "./site-sources.ts";
import { formatSites, type SiteName, type SiteRow, type SiteRun, type SitesReport, siteRow } from "./sites-report.ts";
import { ACCOUNTS, appUser, buildSpoke, DEVICE, openStage, type Stage, type System, startPeer, startSpoke } from "./systems.ts";
import { Worker } from "./worker.ts";

const HELP = `usage: scripts/bench site [--quick] [--rounds N] [--seconds N] [--only typical|big] [--json]

Measures the spoke, nats-server as leaf with its own MQTT and mosquitto with a bridge at two sites: 50 MQTT devices, 4 serial ports and 2
NATS clients; and 1,000 MQTT devices. Readings of 200 bytes at QoS 1, one a second from each device. Prints processor, memory, times to the
hub and to the PUBACK, bytes up and bytes to flash a day.
  --quick      one round of 3 seconds at the typical site and 2 at the big one, instead of three of 6 and 4
  --rounds N   how many rounds
  --seconds N  how long each measurement takes
  --only NAME  just that site
  --json       a machine-readable answer instead of the table

example: scripts/bench site --only big --rounds 5
`;

const FULL_SECONDS = { typical: 6, big: 4 } as const;
const QUICK_SECONDS = { typical: 3, big: 2 } as const;
const WARM_UP_SECONDS = { full: 2, quick: 1 } as const;
const READING_BYTES = 200;
const SERIAL_PORTS = 4;
const LINES_PER_SECOND = 10;
const DEVICES = { typical: 50, big: 1_000 } as const;
const LINKED_WITHIN_MS = 20_000;
const PROBE_SECONDS = 0.3;
/** How long PUBACKs and readings may take that are under way when the devices fall silent. */
const GRACE_MS = 2_000;
const SECONDS_A_DAY = 86_400;

interface Plan {
  readonly sites: readonly SiteName[];
  readonly rounds: number;
  readonly seconds: Readonly<Record<SiteName, number>>;
  readonly warmUpSeconds: number;
}

export async function benchSites(args: readonly string[], signal: AbortSignal): Promise<void> {
  const values = parsePart(args, HELP, ["rounds", "seconds", "only"]);
  if (values === undefined) return;
  const given = values.seconds === undefined ? undefined : whole("--seconds", values.seconds, 600);
  const sites = (["typical", "big"] as const).filter((site) => values.only === undefined || values.only === site);
  if (sites.length === 0) throw new Error(`--only wants typical or big, got "${values.only}"`);
  const usual = values.quick ? QUICK_SECONDS : FULL_SECONDS;
  const report = await measureSites(
    {
      sites,
      rounds: whole("--rounds", values.rounds ?? (values.quick ? "1" : "3"), 100),
      seconds: given === undefined ? usual : { typical: given, big: given },
      warmUpSeconds: values.quick ? WARM_UP_SECONDS.quick : WARM_UP_SECONDS.full,
    },
    signal,
  );
  process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : formatSites(report));
}

async function measureSites(plan: Plan, signal: AbortSignal): Promise<SitesReport> {
  await using scope = new AsyncDisposableStack();
  const say = (line: string) => void process.stderr.write(`petiole: ${line}\n`);
  const cores = await chooseCores();
  const stage = scope.use(await openStage(cores, "s2_fast", say));
  const facts = watchMachine(stage.natsServer.version);
  const program = await buildSpoke(stage);
  const gateways: Gateway[] = [];
  for (const open of gatewaysFor(plan, stage, program, (await mosquittoVersion()) !== undefined))
    gateways.push(scope.use(await Gateway.open(stage, await open(scope), signal)));
  const rows: SiteRow[] = [];
  for (const site of plan.sites) {
    rows.push(
      ...(await measureSite(
        site,
        gateways.filter(({ sites }) => sites.includes(site)),
        plan,
      )),
    );
    say(`the ${site} site is measured`);
  }
  const notes = [
    cores.note,
    "peers have no serial ports: their lines come as MQTT of 4 more devices, and whoever reads the ports is not counted; so do those of NATS clients at mosquitto",
    "TLS first and S2 to the hub; mosquitto: MQTT over TLS to a hub of its own, which stores what comes at QoS 1",
  ];
  return { ...(await facts()), rounds: plan.rounds, seconds: plan.seconds, notes, rows };
}

async function measureSite(site: SiteName, gateways: readonly Gateway[], plan: Plan): Promise<SiteRow[]> {
  for (const gateway of gateways) await gateway.settle(site);
  for (const gateway of gateways) await gateway.run(plan.warmUpSeconds);
  const runs = gateways.map((): SiteRun[] => []);
  for (let round = 0; round < plan.rounds; round++) {
    const inTurn = [...gateways.entries()];
    for (const [index, gateway] of round % 2 === 0 ? inTurn : inTurn.toReversed())
      runs[index]!.push(await gateway.run(plan.seconds[site]));
  }
  return gateways.map(({ system }, index) => siteRow(site, system.name, system.puback, runs[index]!));
}

interface Opened {
  readonly system: System;
  readonly account: string;
  readonly sites: readonly SiteName[];
  sourcesAt(site: SiteName): readonly Source[];
}

/** The safest setting of nats-server's store stands at the big site alone, where PUBACKs are looked at. */
function gatewaysFor({ sites }: Plan, stage: Stage, program: string, hasMosquitto: boolean) {
  const ours = async (scope: AsyncDisposableStack): Promise<Opened> => {
    const ports = sites.includes("typical") ? await cables(scope, stage.folder, "site", SERIAL_PORTS) : [];
    const system = await startSpoke(stage, program, { more: settingsFor(ports) });
    const ttys = ports.map(farEnd);
    return { system, account: ACCOUNTS.spoke, sites, sourcesAt: (site) => sourcesAt(site, ttys, system.natsPort) };
  };
  const peer = (isSynced: boolean) => async (): Promise<Opened> => {
    const system = await startPeer(stage, isSynced);
    const account = isSynced ? ACCOUNTS.synced : ACCOUNTS.peer;
    const own = isSynced ? sites.filter((site) => site === "big") : sites;
    return { system, account, sites: own, sourcesAt: (site) => sourcesAt(site, [], system.natsPort) };
  };
  const bridge = async (): Promise<Opened> => {
    return {
      system: await startBridge(stage),
      account: ACCOUNTS.bridge,
      sites,
      sourcesAt: (site) => sourcesAt(site, [], undefined),
    };
  };
  return [ours, peer(false), ...(sites.includes("big") ? [peer(true)] : []), ...(hasMosquitto ? [bridge] : [])];
}

function settingsFor(ports: readonly string[]): Readonly<Record<string, unknown>> {
  return {
    listen: "127.0.0.1:0",
    accounts: [{ name: "EDGE", users: [{ ...DEVICE, mqtt: true, nats: true }] }],
    mqtt: { listen: "127.0.0.1:0", max_clients: 2 * DEVICES.big },
    limits: { max_connections: 4 * DEVICES.big },
    serial: ports.map((path, index) => ({
      name: `s${index}`,
      match: { path },
      baud_rate: 115_200,
      decode: { type: "json" },
      subject: "sensors.serial.{name}",
    })),
    outbox: {
      free_reserve: "0B",
      rules: [
        { subjects: ["sensors.>"], class: "telemetry", keep: "always" },
        { subjects: [">"], keep: "durable" },
      ],
    },
  };
}

function sourcesAt(site: SiteName, ttys: readonly string[], natsPort: number | undefined): Source[] {
  const reading = { bytes: READING_BYTES, perSecond: DEVICES[site] };
  const devices: Source = { ...reading, kind: "mqtt", name: site, devices: DEVICES[site], topic: "sensors/mqtt/" };
  if (site === "big") return [devices];
  const lines = { bytes: READING_BYTES, perSecond: SERIAL_PORTS * LINES_PER_SECOND, name: "serial" };
  const one = { bytes: READING_BYTES, perSecond: 1, name: "nats" };
  return [
    devices,
    ttys.length > 0
      ? { ...lines, kind: "tty", paths: ttys }
      : { ...lines, kind: "mqtt", devices: SERIAL_PORTS, topic: "sensors/serial/" },
    natsPort === undefined
      ? { ...one, kind: "mqtt", devices: 1, topic: "sensors/nats/" }
      : { ...one, kind: "nats", port: natsPort, subject: "sensors.nats.0" },
  ];
}

/** A system with its devices and a subscriber at the hub. */
class Gateway implements AsyncDisposable {
  readonly system: System;
  readonly sites: readonly SiteName[];
  readonly #sourcesAt: Opened["sourcesAt"];
  readonly #stage: Stage;
  readonly #load: Worker;
  readonly #subscriber: Worker;
  readonly #owned: AsyncDisposableStack;

  /** Owns what was opened. */
  static async open(stage: Stage, opened: Opened, signal: AbortSignal): Promise<Gateway> {
    await using scope = new AsyncDisposableStack();
    const { system, account } = opened;
    scope.use(system);
    const load = scope.use(await Worker.start("site-load-worker.ts", stage.cores, signal));
    const subscriber = scope.use(await Worker.start("subscriber-worker.ts", stage.cores, signal));
    const { clientPort } = system.hub ?? stage.hub;
    await subscriber.request("connect", { port: clientPort, subject: "sensors.>", ...appUser(account) });
    return new Gateway(stage, opened, load, subscriber, scope.move());
  }

  private constructor(stage: Stage, opened: Opened, load: Worker, subscriber: Worker, owned: AsyncDisposableStack) {
    this.system = opened.system;
    this.sites = opened.sites;
    this.#sourcesAt = (site) => opened.sourcesAt(site);
    this.#stage = stage;
    this.#load = load;
    this.#subscriber = subscriber;
    this.#owned = owned;
  }

  /** That site's devices come, those of another fall silent. Resolves once readings get through. */
  async settle(site: SiteName): Promise<void> {
    await this.#load.request("open", { port: this.system.mqttPort, ...DEVICE, sources: this.#sourcesAt(site) });
    await this.#untilLinked(site);
  }

  async run(seconds: number): Promise<SiteRun> {
    await this.#subscriber.request("reset", { stamps: true });
    const [figures, awake, from] = [await this.#figures(), await readAwake(this.system.pid), performance.now()];
    const { sources } = await this.#load.request<SiteSent>("run", { seconds, graceMs: GRACE_MS });
    const sent = sources.reduce((sum, source) => sum + source.sent, 0);
    const seen = await this.#subscriber.request<Arrived>("wait", { count: sent, quietMs: GRACE_MS });
    const [after, awakeAfter, to] = [await this.#figures(), await readAwake(this.system.pid), performance.now()];
    const isOneConnection = figures.wire?.localPort === after.wire?.localPort;
    const bytesUp = isOneConnection ? difference(after.wire?.bytes, figures.wire?.bytes) : null;
    const flash = difference(after.diskBytes, figures.diskBytes);
    const devices = sources[0]!; // see sourcesAt
    return {
      cpuPercent: ((awakeAfter.cpuNs - awake.cpuNs) / ((to - from) * 1e6)) * 100,
      rssMib: after.rssBytes / 2 ** 20,
      p50Ms: seen.latencyMs?.p50 ?? null,
      p99Ms: seen.latencyMs?.p99 ?? null,
      ackP50Ms: devices.ackMs?.p50 ?? null,
      ackP99Ms: devices.ackMs?.p99 ?? null,
      lateP99Ms: Math.max(...sources.map(({ lateP99Ms }) => lateP99Ms)),
      bytesUp: bytesUp === null || sent === 0 ? null : bytesUp / sent,
      flashBytesPerDay: flash === null ? null : (flash / (to - from)) * 1000 * SECONDS_A_DAY,
      lost: sent - seen.arrived,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }

  #figures(): Promise<ProcessFigures> {
    return readFigures(this.system.pid, this.system.hub?.linkPort ?? this.#stage.hub.leafPort, null);
  }

  async #untilLinked(site: SiteName): Promise<void> {
    const end = performance.now() + LINKED_WITHIN_MS;
    for (;;) {
      await this.#subscriber.request("reset");
      const { sources } = await this.#load.request<SiteSent>("run", { seconds: PROBE_SECONDS, graceMs: 0 });
      const sent = sources.reduce((sum, source) => sum + source.sent, 0);
      const { arrived } = await this.#subscriber.request<Arrived>("wait", { count: sent, quietMs: 200 });
      if (arrived >= sent) return;
      if (performance.now() > end)
        throw new Error(
          `${this.system.name}, ${site} site: of ${sent} readings ${arrived} reached the hub, ${LINKED_WITHIN_MS / 1000} s after the first`,
        );
    }
  }
}

function difference(after: number | null | undefined, before: number | null | undefined): number | null {
  return after == null || before == null ? null : after - before;
}
