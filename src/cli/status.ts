// `petiole status`: asks the running daemon over its control socket and prints what it says.

import { request } from "node:http";
import { PetioleError, systemCode } from "#base/errors.ts";
import { lostMessages } from "#status/loss-words.ts";
import type {
  BusReport,
  CrashReport,
  DrainReport,
  HostReport,
  HubMqttReport,
  LossReport,
  OutboxReport,
  SerialReport,
  StatusReport,
} from "#status/report.ts";
import { printable } from "./printable.ts";

export const DAEMON_NOT_RUNNING = "DAEMON_NOT_RUNNING";

const ANSWER_WITHIN_MS = 5000;
const UNPROVEN_SHOWN = 3;
const FILTER_WORDS = { applied: "in force", failing: "not in force", off: "off" } as const;
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
  for (const reason of report.health.reasons) lines.push(`  ! ${printable(reason)}`);
  if (report.last_crash !== undefined) lines.push(`  an earlier run did not end well: ${crashWords(report.last_crash)}`);
  for (const { name, link, outbox } of report.remotes) {
    const hub = link.hub_name === null ? "" : printable(`  hub ${link.hub_name} ${link.hub_version ?? ""}`);
    const rtt = link.rtt_ms === null ? "" : `  rtt ${link.rtt_ms.toFixed(1)} ms`;
    lines.push(`link ${name}  ${link.state}  ${printable(link.url)}${link.tls ? "  TLS" : ""}${hub}${rtt}  since ${link.since}`);
    if (link.compression?.level != null) {
      const share = link.plain_bytes_out === 0 ? 100 : (100 * link.bytes_out) / link.plain_bytes_out;
      lines.push(
        `  compression ${link.compression.mode}, now ${link.compression.level}: sent ${formatBytes(link.bytes_out)}, ${share.toFixed(0)} % of ${formatBytes(link.plain_bytes_out)}`,
      );
    }
    if (link.isolation_fault !== null) lines.push(`  isolation: ${printable(link.isolation_fault)}`);
    lines.push(
      `outbox ${name}  ${outbox.full === null ? MODE_WORDS[outbox.mode] : "full"}  ${outbox.depth} waiting (${formatBytes(outbox.flash_bytes)} on flash)  ${outbox.delivered} delivered`,
    );
    if (outbox.drain != null) lines.push(`  ${formatDrain(outbox.drain)}`);
    for (const lane of outbox.lanes) {
      if (lane.depth === 0) continue;
      const held = lane.held === 0 ? "" : `  ${lane.held} of them for a listener or a stream at the hub`;
      lines.push(`  ${lane.class.padEnd(9)}  ${lane.depth} waiting (${formatBytes(lane.flash_bytes)} on flash)${held}`);
    }
    lines.push(...streamLines(outbox));
    for (const loss of outbox.losses) lines.push(`  lost: ${formatLoss(loss)}`);
    if (outbox.reconcile !== null && outbox.reconcile.text !== "")
      lines.push(`  ${outbox.reconcile.last}: ${printable(outbox.reconcile.text)}`);
  }
  if (report.mqtt !== null)
    lines.push(
      `mqtt  ${report.mqtt.listen}  ${report.mqtt.clients} clients  ${report.mqtt.messages_in} in  ${report.mqtt.messages_out} out`,
      ...(report.mqtt.hub_mqtt ?? []).flatMap(hubMqttLines),
    );
  if (report.nats !== null)
    lines.push(
      `nats  ${report.nats.listen}  ${report.nats.clients} clients  ${report.nats.subscriptions} subscriptions  ${report.nats.messages_in} in  ${report.nats.messages_out} out`,
    );
  for (const port of report.serial) lines.push(...serialLines(port));
  if (report.host !== undefined) lines.push(...hostLines(report.host));
  const { store, packet_filter: filter, page } = report;
  if (store !== undefined)
    lines.push(`store  ${store.keys} kept for MQTT (${formatBytes(store.live_bytes)} of ${formatBytes(store.max_bytes)})`);
  if (filter !== undefined) {
    const blocked = filter.blocked === 0 ? "" : `  ${filter.blocked} addresses kept out`;
    lines.push(`packet filter  ${FILTER_WORDS[filter.state]}${blocked}`);
  }
  if (page !== undefined)
    lines.push(`page  ${page.listen}${page.tls ? "  TLS" : ""}  ${page.state === "open" ? "open" : "not open"}`);
  return `${lines.join("\n")}\n`;
}

/** What hubs that speak MQTT make of what they are sent for their own MQTT clients. */
function hubMqttLines({ account, state, refused, reason, since, retained }: HubMqttReport): string[] {
  const words = {
    unused: "nothing sent yet",
    passing: "takes what it is sent",
    refused: `refuses since ${since}: ${printable(reason ?? "")}`,
  };
  const soFar = refused === 0 ? "" : `  ${refused} not taken so far`;
  const lines = [`  hub mqtt ${account}  ${words[state]}${soFar}`];
  if (retained !== null && !retained.following)
    lines.push(`  hub mqtt ${account}  retained messages wait: ${printable(retained.because ?? "the hub was not reached yet")}`);
  return lines;
}

function serialLines(port: SerialReport): string[] {
  const { commands, units } = port;
  const paused = port.is_paused ? "  not read: the outbox is full" : "";
  const lines = [
    `serial ${port.name}  ${port.state}  ${port.path ?? "no device"}  ${port.frames} frames  ${port.errors} errors${paused}`,
  ];
  if (port.identity !== null && port.identity !== port.path) lines.push(`  ${printable(port.identity)}`);
  if (port.reopens > 0)
    lines.push(`  opened anew ${port.reopens} times for trouble, ${port.power_cycles} times taken off the bus`);
  if (port.last_error !== null) lines.push(`  last bad frame: ${printable(port.last_error)}: ${shownFrame(port.last_bad_frame)}`);
  if (commands.done + commands.refused + commands.failed > 0) {
    const late = commands.late === 0 ? "" : ` (${commands.late} late)`;
    lines.push(
      `  commands: ${commands.done} done, ${commands.refused} refused${late}, ${commands.failed} failed, ${commands.waiting} waiting`,
    );
  }
  if (port.bus !== null) lines.push(...busLines(port.bus));
  const silent = units?.filter(({ state }) => state === "silent") ?? [];
  for (const { unit, name, last_fault } of silent)
    lines.push(`  unit ${unit} (${name}) is silent: ${printable(last_fault ?? "no answer")}`);
  return lines;
}

/** The frame's hex, and what it says where all of it is plain text. */
function shownFrame(hex: string | null): string {
  const text = Buffer.from(hex?.replace("…", "") ?? "", "hex").toString("latin1");
  return /^[\x20-\x7e]+$/.test(text) ? `${hex} ("${text}")` : String(hex);
}

/** Nothing of a bus on which all is as it should be. */
function busLines({ skipped, stray_bytes, stray_frames }: BusReport): string[] {
  const words = [
    ...(skipped === 0 ? [] : [`${skipped} questions left out, for the bus cannot keep up`]),
    ...(stray_frames === 0 ? [] : [`${stray_frames} frames that nobody had asked for`]),
    ...(stray_bytes === 0 ? [] : [`${stray_bytes} bytes that belong to no answer`]),
  ];
  return words.length === 0 ? [] : [`  bus: ${words.join(", ")}`];
}

function hostLines({ looks, messages, hanging, last_fault }: HostReport): string[] {
  const lines = [`host  ${looks} looks  ${messages} messages`];
  if (hanging.length > 0) lines.push(`  does not answer: ${printable(hanging.join(", "))}`);
  else if (last_fault !== null) lines.push(`  last fault: ${printable(last_fault)}`);
  return lines;
}

/** What keeps the outbox from knowing that streams store what it sends. */
function streamLines({ streams, unproven = [] }: OutboxReport): string[] {
  const lines: string[] = [];
  if (streams !== undefined && streams.trouble !== "")
    lines.push(`  which subjects the hub's streams take is not known, so its own word counts: ${printable(streams.trouble)}`);
  if (unproven.length > 0)
    lines.push(
      `  ${unproven.slice(0, UNPROVEN_SHOWN).map(printable).join(", ")}${unproven.length > UNPROVEN_SHOWN ? ", …" : ""}: a stream takes it, and confirm: accepted does not wait for its word; auto does`,
    );
  return lines;
}

/** `7 state messages of outbox.rules[0] grew older than max_age (among 1 to 12), the last on 2026-…` */
export function formatLoss(loss: LossReport): string {
  const { reason, class: urgency, rule, messages, from_seq, through_seq, last_time } = loss;
  const hasGaps = from_seq !== null && through_seq !== null && through_seq - from_seq + 1 !== messages;
  const range = from_seq === null ? "" : ` (${hasGaps ? "among " : ""}${from_seq} to ${through_seq})`;
  return `${lostMessages(messages, urgency, reason, rule)}${range}, the last on ${last_time}`;
}

function formatDrain({ rate_per_second, seconds_left }: DrainReport): string {
  const rate = `the hub takes ${rate_per_second.toFixed(rate_per_second < 10 ? 1 : 0)} a second`;
  return seconds_left === null ? `${rate}, and as much comes in` : `${rate}, caught up in ${formatUptime(seconds_left)}`;
}

function crashWords({ reason, at, version }: CrashReport): string {
  return `${printable(reason.split("\n")[0]!)}  (${at}, petiole ${version}; the last lines of its log are in last-crash.json)`;
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
