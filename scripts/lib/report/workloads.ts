// The workloads that matter to somebody who owns sensors, and which run measures which of them; what of a workload no run covers is said.

export interface Workload {
  readonly id: WorkloadId;
  readonly title: string;
  /** How it is run, and the evidence that leaves. */
  readonly by: readonly (readonly [command: string, evidence: string])[];
  /** What of it nobody has measured; empty: nothing. */
  readonly missing: string;
}

export type WorkloadId = (typeof IDS)[number];

const IDS = ["W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "W9", "W10", "W11", "W12", "W13", "W14", "W15", "codec"] as const;

const soak = ["scripts/soak", "soak"] as const;
const simulate = ["scripts/simulate", "simulate"] as const;
const main = ["scripts/bench", "bench-main"] as const;
const mqtt = ["scripts/bench mqtt", "bench-mqtt"] as const;

export const WORKLOADS: readonly Workload[] = [
  {
    id: "W1",
    title: "typical site: 50 MQTT devices, 4 serial ports, 2 NATS clients, TLS and S2 to the hub",
    by: [["scripts/bench site", "bench-site"], soak],
    missing: "",
  },
  {
    id: "W2",
    title: "big site: 1,000 devices, 1,000 messages/s at QoS 1",
    by: [["scripts/bench site", "bench-site"]],
    missing: "",
  },
  {
    id: "W3",
    title: "what an acknowledgement costs: 1, 10, 100 publishers at QoS 1",
    by: [["scripts/bench outbox", "bench-outbox"], main],
    missing: "sizes of the groups that are committed together",
  },
  {
    id: "W4",
    title: "QoS 0 as fast as one core goes, and 2,000 messages/s",
    by: [main, mqtt, ["scripts/bench floor", "bench-floor"]],
    missing: "payloads of 64 bytes and 1 KB (it is 120 bytes), delay of the event loop",
  },
  {
    id: "W5",
    title: "local fan-out",
    by: [mqtt, ["scripts/bench nats", "bench-nats"]],
    missing: "a rate to 500 listeners, MQTT and NATS mixed",
  },
  {
    id: "W6",
    title: "a backlog goes up after an outage",
    by: [["scripts/bench outbox", "bench-outbox"]],
    missing: "",
  },
  {
    id: "W7",
    title: "outages over and over",
    by: [soak, simulate],
    missing: "24 hours of real time (days are simulated, cuts of the soak come each minute)",
  },
  {
    id: "W8",
    title: "thin link: 50 kbit/s, 500 ms, 2 % loss, twice as much offered",
    by: [["scripts/bench thin", "bench-thin"]],
    missing: "24 hours of it",
  },
  { id: "W9", title: "power cuts", by: [simulate], missing: "a real plug, a real card" },
  {
    id: "W10",
    title: "start, with nothing and with a backlog",
    by: [["scripts/bench start", "bench-start"]],
    missing: "files that are not in the page cache",
  },
  {
    id: "W11",
    title: "8 serial ports at line rate, 2 Modbus buses of 20 units",
    by: [["scripts/bench serial", "bench-serial"], soak],
    missing: "buses at 19,200 baud (they have 115,200); plugs are pulled in the soak, not here",
  },
  { id: "W12", title: "hostile load", by: [["scripts/bench hostile", "bench-hostile"]], missing: "" },
  { id: "W13", title: "soak", by: [soak], missing: "seven days (it is an hour)" },
  { id: "W14", title: "idle", by: [["scripts/bench idle", "bench-idle"]], missing: "" },
  {
    id: "W15",
    title: "200 subjects published, the hub wants 10",
    by: [["scripts/bench interest", "bench-interest"]],
    missing: "",
  },
  { id: "codec", title: "the S2 codec in WebAssembly", by: [["scripts/bench s2", "bench-s2"]], missing: "" },
];
