// `scripts/bench outbox`: what the outbox promises, in figures, beside nats-server as leaf on this machine in one run.
//
//   acknowledging   rate and PUBACK times with 1, 10, 100 devices              outbox-acks.ts
//   a backlog       memory, start, drain with a million messages on flash      outbox-backlog.ts
//   wear            bytes to the card for each byte of payload                 outbox-flash.ts
//
// Nothing is judged here.

import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { certificates } from "../../../test/support/certificates.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { build } from "../../build.ts";
import { runCommand } from "../command.ts";
import { findNatsServer } from "../nats-server.ts";
import { chooseCores } from "./cores.ts";
import { measureAcks } from "./outbox-acks.ts";
import { measureBacklog, profileDrain } from "./outbox-backlog.ts";
import { measureFlash } from "./outbox-flash.ts";
import { formatOutbox, type OutboxBenchReport } from "./outbox-report.ts";
import { hubPorts, type OutboxStage } from "./outbox-systems.ts";
import { LINE } from "./systems.ts";

export const OUTBOX_HELP = `usage: scripts/bench outbox [--quick] [--rounds N] [--only PART] [--json] [--profile]

Measures the outbox beside nats-server ${LINE} as leaf: QoS 1 acknowledged a second and PUBACK times with 1, 10 and 100 devices, link up
and link down; the drain of 1,000,000 messages of 120 bytes beside a mirror from leaf to hub, the start and the memory with them; bytes
to the card for each byte of payload (as root only: it mounts disks of its own).
  --quick      200,000 messages, shorter and fewer rounds: about two minutes
  --rounds N   how many rounds (default 3; with --quick 2)
  --only PART  acks, backlog or flash alone
  --json       a machine-readable answer instead of the tables
  --profile    instead: the drain alone under a CPU profile, and where its time goes

example: scripts/bench outbox --quick
`;

const PARTS = ["acks", "backlog", "flash"] as const;

const say = (line: string) => void process.stderr.write(`petiole: ${line}\n`);

export async function benchOutbox(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      only: { type: "string" },
      json: { type: "boolean", default: false },
      profile: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(OUTBOX_HELP);
    return;
  }
  const rounds = Number(values.rounds ?? (values.quick ? 2 : 3));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) throw new Error("--rounds wants a whole number from 1 to 100");
  const wanted = PARTS.filter((part) => values.only === undefined || values.only === part);
  if (wanted.length === 0) throw new Error(`--only wants one of ${PARTS.join(", ")}, got "${values.only}"`);
  const messages = values.quick ? 200_000 : 1_000_000;
  const loadBefore = os.loadavg()[0]!;
  await using scope = new AsyncDisposableStack();
  const stage = await openOutboxStage(scope);
  if (values.profile) {
    process.stdout.write(await profileDrain(stage, messages, signal));
    return;
  }
  const seconds = values.quick ? 0.7 : 2;
  const acks = wanted.includes("acks") ? await measureAcks(stage, { rounds, seconds }, signal) : [];
  if (acks.length > 0) say("acknowledging is measured");
  const flash = wanted.includes("flash") ? await measureFlash(stage, { seconds: values.quick ? 4 : 10 }, signal) : [];
  if (flash.length > 0) say("wear is measured");
  const backlog = wanted.includes("backlog") ? await measureBacklog(stage, { messages, rounds }, signal) : null;
  const { version } = await findNatsServer(LINE, { say });
  const report: OutboxBenchReport = {
    machine: {
      cpu: os.cpus()[0]?.model ?? "unknown",
      processors: os.cpus().length,
      "load before": loadBefore.toFixed(2),
      after: os.loadavg()[0]!.toFixed(2),
    },
    versions: { node: process.version, "nats-server": version },
    note: stage.cores.note,
    rounds,
    acks,
    backlog,
    flash,
  };
  process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : formatOutbox(report));
}

export async function openOutboxStage(scope: AsyncDisposableStack): Promise<OutboxStage> {
  const cores = await chooseCores();
  if (cores.load !== null) await runCommand("taskset", ["--all-tasks", "--cpu-list", "-p", cores.load, String(process.pid)]);
  const folder = scope.use(await tempFolder("petiole-bench-outbox")).path;
  const certs = scope.use(await certificates());
  const natsServer = await findNatsServer(LINE, { say });
  const outFolder = path.join(folder, "dist");
  await fs.mkdir(outFolder);
  await build({ outFolder });
  const program = path.join(outFolder, "petiole.js");
  return { cores, folder, certs, natsServer: natsServer.path, program, hubPorts: await hubPorts() };
}
