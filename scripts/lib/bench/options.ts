// The command line of scripts/bench.

import { parseArgs } from "node:util";

export const HELP = `usage: scripts/bench [--quick] [--rounds N] [--inflight N] [--compression MODE] [--json] [--profile]
       scripts/bench all | PART [--help]

Parts with options of their own, and the workloads of test/REPORT.md that they measure:
  all        every part in turn, within a quarter of an hour (--quick: three minutes); scripts/report makes test/REPORT.md of it
  site       a typical site and one of 1,000 devices: processor, memory, times, bytes up, bytes to flash (W1, W2)
  outbox     what an acknowledgement costs, the drain of a backlog, bytes to flash for a byte of payload (W3, W6)
  mqtt       as an MQTT broker beside mosquitto, nats-server and aedes (W4, W5)
  nats       local NATS clients, and their way to the hub (W5)
  thin       50 kbit/s, 500 ms, 2 % loss, twice as much offered (W8)
  start      from launch to the first message, with a backlog (W10)
  serial     ports and Modbus buses at line rate (W11)
  hostile    storms, slow connections, false lengths, wrong passwords, S2 bombs, noise (W12)
  idle       what it costs while nothing happens (W14)
  interest   bytes up when the hub wants little of what is published (W15)
  s2         the codec beside snappy
  floor      what Node itself costs at 2,000 messages a second, and until it listens
  fleet      500 links and a hub that goes away

Without a part (W3, W4):

Runs the spoke, nats-server as leaf (with its own MQTT) and mosquitto with a bridge side by side, TLS-first, on loopback, in interleaved
rounds: MQTT QoS 0 and QoS 1 at saturation, and 2,000 messages a second at QoS 0, the spoke flushing at once and after 10 ms. Prints a
table and the ratios.
  --quick        fewer and shorter rounds: within a minute
  --rounds N     how many rounds (default 5; with --quick 3)
  --inflight N   unacknowledged QoS 1 messages per publisher (default 20)
  --compression  of the leaf links, in nats-server's words (default s2_fast: s2_auto does not compress on loopback)
  --json         a machine-readable answer on standard output instead of the table
  --profile      instead: runs the spoke alone under a CPU profile, once per workload, and prints where the time goes

example: scripts/bench --quick --json > bench.json
`;

export interface BenchOptions {
  readonly rounds: number;
  readonly isQuick: boolean;
  readonly isJson: boolean;
  readonly isProfile: boolean;
  readonly inflight: number;
  readonly compression: string;
  /** Of one saturated run, and of the run that warms it up, in seconds at the rate found before. */
  readonly saturatedSeconds: number;
  readonly warmupSeconds: number;
  readonly pacedSeconds: number;
}

/** The load: ten devices, each with its topic. */
export const PUBLISHERS = 10;
export const PAYLOAD_BYTES = 120;
export const PACED_RATE = 2_000;
/** Above the packet ids that a publisher's ring holds, nothing more can be unacknowledged. */
export const INFLIGHT_MAX = 1_000;
const COMPRESSIONS = ["off", "s2_uncompressed", "s2_fast", "s2_better", "s2_best"];

/** The options, or what to tell the user: the help, or a fault. */
export function parseOptions(args: readonly string[]): BenchOptions | string {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(args);
  } catch (error) {
    return (error as Error).message;
  }
  if (values.help) return HELP;
  const rounds = Number(values.rounds ?? (values.quick ? 3 : 5));
  const inflight = Number(values.inflight);
  if (!isCount(rounds, 100)) return `--rounds wants a number from 1 to 100, got "${values.rounds}"`;
  if (!isCount(inflight, INFLIGHT_MAX)) return `--inflight wants a number from 1 to ${INFLIGHT_MAX}, got "${values.inflight}"`;
  if (!COMPRESSIONS.includes(values.compression))
    return `--compression wants one of ${COMPRESSIONS.join(", ")}, got "${values.compression}"`;
  return {
    compression: values.compression,
    rounds,
    inflight,
    isQuick: values.quick,
    isJson: values.json,
    isProfile: values.profile,
    saturatedSeconds: values.quick ? 1.5 : 4,
    warmupSeconds: values.quick ? 1.5 : 4,
    pacedSeconds: values.quick ? 2 : 5,
  };
}

function isCount(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= max;
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      inflight: { type: "string", default: "20" },
      compression: { type: "string", default: "s2_fast" },
      json: { type: "boolean", default: false },
      profile: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  }).values;
}
