// `petiole status`: asks the running daemon over its control socket and prints what it says.

import { request } from "node:http";
import { PetioleError, systemCode } from "#base/errors.ts";
import { lostMessages } from "#status/loss-words.ts";
import type { LossReport, StatusReport } from "#status/report.ts";

export const DAEMON_NOT_RUNNING = "DAEMON_NOT_RUNNING";

const ANSWER_WITHIN_MS = 5000;
/** Of an outbox, as a technician would say it: `down` is the link's fault, not the outbox's. */
const MODE_WORDS = { down: "keeps what comes", draining: "draining", direct: "sends what comes" } as const;

/** Throws DAEMON_NOT_RUNNING when nobody answers on the socket. */
export async function fetchStatus(socketPath: string): Promise<StatusReport> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const asking = request({ socketPath, path: "/statusz", timeout: ANSWER_WITHIN_MS }, (response) => {
    let body = "";
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => {
      body += chunk;
    });
    response.on("end", () => resolve(body)).on("error", reject);
  });
  asking.on("error", reject).on("timeout", () => asking.destroy(new Error(`no answer within ${ANSWER_WITHIN_MS / 1000} s`)));
  asking.end();
  try {
    return JSON.parse(await promise) as StatusReport; // our own daemon, our own type
  } catch (cause) {
    const code = systemCode(cause) ?? "";
    const isAbsent = ["ENOENT", "ECONNREFUSED", "ENOTDIR"].includes(code);
    const message = isAbsent
      ? `no daemon runs in this data directory (${socketPath}); start it with "petiole run", or name its directory with --data`
      : code === "EACCES"
        ? `the daemon at ${socketPath} is not yours to ask; run this as its user, or as root`
        : `the daemon at ${socketPath} did not answer`;
    throw new PetioleError(DAEMON_NOT_RUNNING, message, { cause });
  }
}

/** The report for people: what is wrong first. */
export function formatStatus(report: StatusReport): string {
  const lines = [
    `${report.server_name}  petiole ${report.version}  up ${formatUptime(report.uptime_seconds)}  ${report.health.verdict.toUpperCase()}`,
  ];
  for (const reason of report.health.reasons) lines.push(`  ! ${reason}`);
  for (const { name, link, outbox } of report.remotes) {
    const hub = link.hub_name === null ? "" : `  hub ${link.hub_name} ${link.hub_version ?? ""}`;
    const rtt = link.rtt_ms === null ? "" : `  rtt ${link.rtt_ms.toFixed(1)} ms`;
    lines.push(`link ${name}  ${link.state}  ${link.url}${link.tls ? "  TLS" : ""}${hub}${rtt}  since ${link.since}`);
    if (link.compression?.level != null) {
      const share = link.plain_bytes_out === 0 ? 100 : (100 * link.bytes_out) / link.plain_bytes_out;
      lines.push(
        `  compression ${link.compression.mode}, now ${link.compression.level}: sent ${formatBytes(link.bytes_out)}, ${share.toFixed(0)} % of ${formatBytes(link.plain_bytes_out)}`,
      );
    }
    if (link.isolation_fault !== null) lines.push(`  isolation: ${link.isolation_fault}`);
    lines.push(
      `outbox ${name}  ${outbox.full === null ? MODE_WORDS[outbox.mode] : "full"}  ${outbox.depth} waiting (${formatBytes(outbox.flash_bytes)} on flash)  ${outbox.delivered} delivered`,
    );
    for (const lane of outbox.lanes) {
      if (lane.depth === 0) continue;
      const held = lane.held === 0 ? "" : `  ${lane.held} of them for a listener or a stream at the hub`;
      lines.push(`  ${lane.class.padEnd(9)}  ${lane.depth} waiting (${formatBytes(lane.flash_bytes)} on flash)${held}`);
    }
    for (const loss of outbox.losses) lines.push(`  lost: ${formatLoss(loss)}`);
    if (outbox.reconcile !== null && outbox.reconcile.text !== "")
      lines.push(`  ${outbox.reconcile.last}: ${outbox.reconcile.text}`);
  }
  if (report.mqtt !== null)
    lines.push(
      `mqtt  ${report.mqtt.listen}  ${report.mqtt.clients} clients  ${report.mqtt.messages_in} in  ${report.mqtt.messages_out} out`,
    );
  if (report.nats !== null)
    lines.push(
      `nats  ${report.nats.listen}  ${report.nats.clients} clients  ${report.nats.subscriptions} subscriptions  ${report.nats.messages_in} in  ${report.nats.messages_out} out`,
    );
  for (const port of report.serial)
    lines.push(`serial ${port.name}  ${port.state}  ${port.path ?? "no device"}  ${port.frames} frames  ${port.errors} errors`);
  return `${lines.join("\n")}\n`;
}

/** `7 state messages of outbox.rules[0] grew older than max_age (among 1 to 12), the last on 2026-…` */
export function formatLoss(loss: LossReport): string {
  const { reason, class: urgency, rule, messages, from_seq, through_seq, last_time } = loss;
  const hasGaps = from_seq !== null && through_seq !== null && through_seq - from_seq + 1 !== messages;
  const range = from_seq === null ? "" : ` (${hasGaps ? "among " : ""}${from_seq} to ${through_seq})`;
  return `${lostMessages(messages, urgency, reason, rule)}${range}, the last on ${last_time}`;
}

function formatUptime(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor((seconds % 86_400) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return days > 0 ? `${days} d ${hours} h` : hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${seconds % 60} s`;
}

export function formatBytes(bytes: number): string {
  const steps = ["B", "KiB", "MiB", "GiB"];
  const step = bytes < 1024 ? 0 : Math.min(steps.length - 1, Math.floor(Math.log2(bytes) / 10));
  return step === 0 ? `${bytes} B` : `${(bytes / 1024 ** step).toFixed(1)} ${steps[step]}`;
}
