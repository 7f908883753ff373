// `scripts/bench interest`: devices publish on 200 subjects, the hub wants 10 of them. How many bytes go up for what was wanted?
//
//   leaf       the hub's interest holds back the rest: the spoke, nats-server
//   bridge     `topic # out`: everything goes up: mosquitto
//
// One system after the other, the same messages at the same pace, QoS 0.

import * as net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Arrived } from "./bench-site.ts";
import { chooseCores } from "./cores.ts";
import { mosquittoVersion, startBridge } from "./mosquitto-bridge.ts";
import { connectPacket, publishBlock, topicOf } from "./mqtt-packets.ts";
import { factsLine, type PartFacts, table, watchMachine } from "./part-facts.ts";
import { parsePart } from "./part-options.ts";
import { readWire } from "./process-figures.ts";
import { ACCOUNTS, appUser, buildSpoke, DEVICE, openStage, type Stage, type System, startPeer, startSpoke } from "./systems.ts";
import { Worker } from "./worker.ts";

const HELP = `usage: scripts/bench interest [--quick] [--json]

Publishes on 200 subjects at 1,000 messages a second, of which the hub wants 10 subjects, through the spoke, through nats-server as leaf
and through mosquitto with an all-topics bridge; counts the bytes that each sends to the hub.
  --quick  3 seconds each instead of 10
  --json   a machine-readable answer instead of the table
`;

const SUBJECTS = 200;
const WANTED = 10;
const RATE = 1_000;
const TICK_MS = 10;
/** Different readings of a subject before they come again. */
const READINGS = 64;
const QUIET_MS = 1_500;
const LINKED_WITHIN_MS = 20_000;
const CONNACK_BYTES = 4;

export interface InterestRow {
  readonly system: string;
  readonly published: number;
  readonly wanted: number;
  readonly arrived: number;
  /** TCP payload with TLS; null where the machine does not tell. */
  readonly bytesUp: number | null;
  readonly bytesPerWanted: number | null;
}

export interface InterestReport extends PartFacts {
  readonly subjects: number;
  readonly wantedSubjects: number;
  readonly rate: number;
  readonly rows: readonly InterestRow[];
}

export async function benchInterest(args: readonly string[], signal: AbortSignal): Promise<void> {
  const values = parsePart(args, HELP, []);
  if (values === undefined) return;
  const report = await measureInterest(values.quick ? 3 : 10, signal);
  process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : formatInterest(report));
}

async function measureInterest(seconds: number, signal: AbortSignal): Promise<InterestReport> {
  await using stage = await openStage(await chooseCores(), "s2_fast", (line) => void process.stderr.write(`petiole: ${line}\n`));
  const facts = watchMachine(stage.natsServer.version);
  const program = await buildSpoke(stage);
  const starts: (readonly [string, () => Promise<System>])[] = [
    [ACCOUNTS.spoke, () => startSpoke(stage, program, { more: { host: null } })],
    [ACCOUNTS.peer, () => startPeer(stage, false)],
  ];
  if ((await mosquittoVersion()) !== undefined) starts.push([ACCOUNTS.bridge, () => startBridge(stage)]);
  const rows: InterestRow[] = [];
  for (const [account, start] of starts) {
    await using system = await start();
    rows.push(await measureOne(stage, system, account, seconds, signal));
  }
  return { ...(await facts()), subjects: SUBJECTS, wantedSubjects: WANTED, rate: RATE, rows };
}

async function measureOne(
  stage: Stage,
  system: System,
  account: string,
  seconds: number,
  signal: AbortSignal,
): Promise<InterestRow> {
  await using scope = new AsyncDisposableStack();
  const subscriber = scope.use(await Worker.start("subscriber-worker.ts", stage.cores, signal));
  const { clientPort } = system.hub ?? stage.hub;
  const subject = Array.from({ length: WANTED }, (_, i) => topicOf(wantedDevice(i)).replaceAll("/", "."));
  await subscriber.request("connect", { port: clientPort, subject, ...appUser(account) });
  const device = scope.use(await Device.connect(system.mqttPort));
  await untilLinked(system, device, subscriber);
  await subscriber.request("reset");
  const linkPort = system.hub?.linkPort ?? stage.hub.leafPort;
  const before = await readWire(system.pid, linkPort);
  const published = await device.publish(seconds * RATE, signal);
  const wanted = (published / SUBJECTS) * WANTED;
  const { arrived } = await subscriber.request<Arrived>("wait", { count: wanted, quietMs: QUIET_MS });
  await sleep(200, undefined, { signal }); // what nobody waits for is on the wire by then
  const after = await readWire(system.pid, linkPort);
  const isOne = before !== null && after !== null && before.localPort === after.localPort;
  const bytesUp = isOne ? after.bytes - before.bytes : null;
  const bytesPerWanted = bytesUp === null ? null : bytesUp / wanted;
  return { system: system.name, published, wanted, arrived, bytesUp, bytesPerWanted };
}

/** Spread over all of them. */
function wantedDevice(index: number): number {
  return index * (SUBJECTS / WANTED);
}

async function untilLinked(system: System, device: Device, subscriber: Worker): Promise<void> {
  const end = performance.now() + LINKED_WITHIN_MS;
  for (;;) {
    await subscriber.request("reset");
    device.publishOne(0);
    const { arrived } = await subscriber.request<Arrived>("wait", { count: 1, quietMs: 200 });
    if (arrived > 0) return;
    if (performance.now() > end) throw new Error(`${system.name}: nothing reached the hub in ${LINKED_WITHIN_MS / 1000} s`);
  }
}

/** One MQTT connection that plays all devices. */
class Device implements Disposable {
  readonly #socket: net.Socket;
  readonly #blocks = Array.from({ length: SUBJECTS }, (_, device) => publishBlock(device, 0, READINGS));
  #sent = 0;

  static async connect(port: number): Promise<Device> {
    const socket = net.connect({ host: "127.0.0.1", port, noDelay: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.on("error", reject).on("close", () => reject(new Error("the broker closed the connection")));
    socket.on("data", (chunk) => chunk.length >= CONNACK_BYTES && resolve());
    socket.write(connectPacket("bench-interest", DEVICE.user, DEVICE.password));
    await promise;
    return new Device(socket);
  }

  private constructor(socket: net.Socket) {
    this.#socket = socket;
  }

  publishOne(device: number): void {
    const { bytes, packetBytes } = this.#blocks[device]!;
    this.#socket.write(bytes.subarray(0, packetBytes));
  }

  /** Subject after subject; hands back how many. */
  async publish(count: number, signal: AbortSignal): Promise<number> {
    const startedAt = performance.now();
    for (this.#sent = 0; this.#sent < count; await sleep(TICK_MS, undefined, { signal })) {
      const due = Math.min(count, Math.floor(((performance.now() - startedAt) / 1000) * RATE));
      this.#socket.cork();
      for (; this.#sent < due; this.#sent++) {
        const { bytes, packetBytes } = this.#blocks[this.#sent % SUBJECTS]!;
        const at = (Math.floor(this.#sent / SUBJECTS) % READINGS) * packetBytes;
        this.#socket.write(bytes.subarray(at, at + packetBytes));
      }
      this.#socket.uncork();
    }
    return this.#sent;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

function formatInterest(report: InterestReport): string {
  const show = (value: number | null) => (value === null ? "–" : Math.round(value).toLocaleString("en"));
  const ours = report.rows[0]!.bytesUp;
  const rows = [
    ["system", "published", "wanted", "arrived", "bytes up", "per wanted", "of ours"],
    ...report.rows.map(({ system, published, wanted, arrived, bytesUp, bytesPerWanted }) => [
      system,
      show(published),
      show(wanted),
      show(arrived),
      show(bytesUp),
      show(bytesPerWanted),
      bytesUp === null || !ours ? "–" : `× ${(bytesUp / ours).toFixed(1)}`,
    ]),
  ];
  const head = `${report.subjects} subjects at ${report.rate} messages/s in all, the hub wants ${report.wantedSubjects} of them`;
  return `${factsLine(report)}\n${head}\n\n${table(rows)}\n`;
}
