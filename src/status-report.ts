// Gathers what the parts say of themselves into one report.

import { type Millis, timestamp } from "#base/clock.ts";
import { formatEndpoint } from "#base/net.ts";
import type { TimeKeeper } from "#base/time-keeper.ts";
import type { Config } from "#config/config.ts";
import { displaySubject } from "#core/subject.ts";
import type { PageHost } from "#desks/page-host.ts";
import type { Firewall, FirewallStatus } from "#firewall/firewall.ts";
import type { HostIngress } from "#ingress/host/host-ingress.ts";
import type { MqttIngress } from "#ingress/mqtt/mqtt-ingress.ts";
import type { NatsIngress } from "#ingress/nats/nats-ingress.ts";
import type { ModbusStatus } from "#ingress/serial/modbus/master.ts";
import type { SerialIngress } from "#ingress/serial/serial-ingress.ts";
import type { LossTotal } from "#outbox/ledger/ledger-entry.ts";
import type { ReconcileReport as Reconciled } from "#outbox/reconcile/reconcile.ts";
import { judge } from "#status/health.ts";
import type {
  BusReport,
  ClockReport,
  CrashReport,
  HostReport,
  LossReport,
  MqttReport,
  NatsReport,
  PacketFilterReport,
  ReconcileReport,
  RemoteReport,
  SerialReport,
  StatusReport,
  StoreReport,
} from "#status/report.ts";
import type { Store, StoreStatus } from "#store/store.ts";
import type { Uplink } from "#uplink/uplink.ts";
import type { CrashRecord } from "#watchdog/crash-record.ts";
import type { Watchdog } from "#watchdog/watchdog.ts";
import type { HistoryFeed } from "./history-feed.ts";

/** How long a loss is a reason to look. */
const LOSS_MATTERS_MS: Millis = 24 * 3_600_000;

export function reportOf(
  config: Config,
  facts: { readonly version: string; readonly watchdog?: Pick<Watchdog, "diskFault" | "lastCrash"> },
  parts: {
    readonly uplinks: readonly Uplink[];
    readonly mqtt: MqttIngress | null;
    readonly nats: NatsIngress | null;
    readonly serial: SerialIngress | null;
    readonly host?: HostIngress | null;
    readonly store?: Pick<Store, "status"> | null;
    readonly filter?: Pick<Firewall, "status"> | null;
    readonly past?: Pick<HistoryFeed, "drain" | "oldestSeconds"> | null;
    readonly page?: Pick<PageHost, "report"> | null;
    notOpen?(): readonly string[];
  },
  now: { readonly uptimeMs: number; readonly wall: number; readonly time?: TimeKeeper },
): StatusReport {
  const remotes = parts.uplinks.map((uplink) => remoteReport(uplink, parts.past ?? undefined));
  const serial = parts.serial?.status().map(serialReport) ?? [];
  const page = parts.page?.report() ?? null;
  const notOpen = parts.notOpen?.() ?? [];
  const fittings = {
    ...(parts.host == null ? {} : { host: hostReport(parts.host) }),
    ...(parts.store == null ? {} : { store: storeReport(parts.store.status()) }),
    ...(parts.filter == null ? {} : { packet_filter: filterReport(parts.filter.status()) }),
    ...(page === null ? {} : { page }),
    ...(notOpen.length === 0 ? {} : { not_open: notOpen }),
    ...(facts.watchdog === undefined ? {} : { disk_fault: facts.watchdog.diskFault }),
  };
  const mqtt = parts.mqtt === null ? null : mqttReport(parts.mqtt);
  const lately = { since: timestamp(now.wall - LOSS_MATTERS_MS), until: timestamp(now.wall + LOSS_MATTERS_MS) };
  return {
    version: facts.version,
    server_name: config.serverName,
    device_id: config.deviceId,
    now: timestamp(now.wall),
    uptime_seconds: Math.round(now.uptimeMs / 1000),
    rss_bytes: process.memoryUsage.rss(),
    health: judge(remotes, serial, lately, now.time?.fault ?? null, { ...fittings, mqtt }),
    ...(now.time === undefined ? {} : { clock: clockReport(now.time) }),
    remotes,
    mqtt,
    nats: parts.nats === null ? null : natsReport(parts.nats),
    serial,
    ...fittings,
    ...(facts.watchdog?.lastCrash === undefined ? {} : { last_crash: crashReport(facts.watchdog.lastCrash) }),
  };
}

/** The lines of its log stay in its file: they are many, and the report is asked for often. */
function crashReport({ kind, reason, at, version, uptimeSeconds }: CrashRecord): CrashReport {
  return { kind, reason, at, version, uptime_seconds: uptimeSeconds };
}

function storeReport({ keys, liveBytes, fileBytes, maxBytes, full, fault, damaged }: StoreStatus): StoreReport {
  return { keys, live_bytes: liveBytes, file_bytes: fileBytes, max_bytes: maxBytes, full, fault, damaged };
}

function filterReport({ state, because, lacks, drifts, lastDrift, blocked }: FirewallStatus): PacketFilterReport {
  return { state, because, lacks, drifts, last_drift: lastDrift, blocked };
}

function remoteReport(uplink: Uplink, past: Pick<HistoryFeed, "drain" | "oldestSeconds"> | undefined): RemoteReport {
  const { name, account, link, outbox, hubInterest, isolationFault, messagesIn, reconciliation } = uplink.status();
  return {
    name,
    account,
    link: {
      state: link.state,
      url: link.url,
      since: timestamp(link.sinceWall),
      attempt: link.attempt,
      rtt_ms: link.rttMs,
      tls: link.isTls,
      hub_name: link.hub?.name ?? null,
      hub_id: link.hub?.id ?? null,
      hub_version: link.hub?.version ?? null,
      hub_cluster: link.hub?.cluster ?? null,
      hub_interest: hubInterest,
      connects: link.connects,
      bytes_in: link.bytesIn,
      bytes_out: link.bytesOut,
      plain_bytes_in: link.plainBytesIn,
      plain_bytes_out: link.plainBytesOut,
      compression: link.compression,
      flow:
        link.flow === null ? null : { under_way: link.flow.underWay, window: link.flow.window, bytes_per_second: link.flow.rate },
      isolation_fault: isolationFault?.text ?? null,
      urls: link.urls.map((each) => ({
        url: each.url,
        configured: each.isConfigured,
        failures_in_row: each.failuresInRow,
        last_error: each.lastFailure?.message ?? null,
        rtt_ms: each.rttMs,
      })),
      messages_in: messagesIn,
      last_error:
        link.lastError === null
          ? null
          : { code: link.lastError.code, message: link.lastError.message, at: timestamp(link.lastError.wall) },
    },
    outbox: {
      mode: outbox.mode,
      depth: outbox.depth,
      flash_bytes: outbox.flashBytes,
      staged_bytes: outbox.stagedBytes,
      held: outbox.held - sum(outbox.lanes, ({ awaiting }) => awaiting),
      delivered: outbox.delivered,
      live_sent: outbox.liveSent,
      commits: outbox.commits,
      fault: outbox.fault,
      lanes: outbox.lanes.map((lane) => ({
        class: lane.class,
        mode: lane.mode,
        depth: lane.depth,
        flash_bytes: lane.flashBytes,
        held: lane.held - lane.awaiting,
        last_seq: lane.lastSeq,
        confirmed_seq: lane.confirmedSeq,
        committed_seq: lane.committedSeq,
        delivered: lane.delivered,
        oldest_seconds: past?.oldestSeconds(name, lane.class) ?? null,
        drain: past?.drain(name, lane.class) ?? null,
      })),
      losses: outbox.losses.map(lossReport),
      ledger_fault: outbox.ledgerFault,
      free_reserve: outbox.freeReserve,
      full: outbox.full,
      drain: past?.drain(name) ?? null,
      suspended: outbox.suspended.map(({ subject, why }) => ({ subject: displaySubject(subject), why })),
      suspended_subjects: outbox.suspendedSubjects,
      streams: { names: outbox.streams.streams, trouble: outbox.streams.trouble },
      unproven: outbox.unproven,
      reconcile: reconciliation === null ? null : reconcileReport(reconciliation),
      recovery: {
        records: sum(outbox.lanes, ({ recovery }) => recovery.records),
        torn_bytes: sum(outbox.lanes, ({ recovery }) => recovery.tornBytes),
        damaged: sum(outbox.lanes, ({ recovery }) => recovery.damaged.length),
      },
    },
  };
}

/** Losses of one kind; also what `petiole outbox stat` shows of them. */
export function lossReport(loss: LossTotal): LossReport {
  return {
    reason: loss.reason,
    class: loss.lane,
    rule: loss.rule,
    messages: loss.messages,
    from_seq: loss.fromSeq,
    through_seq: loss.throughSeq,
    first_time: timestamp(loss.firstTime),
    last_time: timestamp(loss.lastTime),
  };
}

function reconcileReport(last: Reconciled): ReconcileReport {
  return { last: timestamp(last.wall), result: last.result, text: last.text, streams: last.streams, found: last.found };
}

function clockReport(time: TimeKeeper): ClockReport {
  return { trusted: time.isTrusted, floor: timestamp(time.floor), boot_id: time.bootId, fault: time.fault };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

function mqttReport(mqtt: MqttIngress): MqttReport {
  const { clients, totals } = mqtt.status();
  return {
    listen: formatEndpoint(mqtt.endpoint),
    clients: clients.length,
    connections: totals.connections,
    messages_in: totals.messagesIn,
    messages_out: totals.messagesOut,
    bytes_in: totals.bytesIn,
    bytes_out: totals.bytesOut,
    refused: totals.refused,
    dropped: totals.dropped,
    ...hubMqttReport(mqtt),
  };
}

function hubMqttReport(mqtt: MqttIngress): Pick<MqttReport, "hub_mqtt"> {
  const accounts = mqtt.hubMqtt();
  if (accounts === null) return {};
  return {
    hub_mqtt: accounts.map(({ account, state, refused, reason, sinceWall, retained }) => ({
      account,
      state,
      refused,
      reason,
      since: sinceWall === null ? null : timestamp(sinceWall),
      retained: retained === null ? null : { following: retained.isFollowing, because: retained.because },
    })),
  };
}

function natsReport(nats: NatsIngress): NatsReport {
  const status = nats.status();
  return {
    listen: formatEndpoint(nats.endpoint),
    clients: status.clients,
    subscriptions: status.subscriptions,
    connections: status.connections,
    messages_in: status.messagesIn,
    messages_out: status.messagesOut,
    bytes_in: status.bytesIn,
    bytes_out: status.bytesOut,
    slow_consumers: status.endings.slow ?? 0,
    refused: status.refused,
  };
}

function serialReport(port: ReturnType<SerialIngress["status"]>[number]): SerialReport {
  return {
    name: port.name,
    match: port.match,
    path: port.path,
    identity: port.identity,
    state: port.state,
    since: timestamp(port.since),
    code: port.code,
    cause: port.cause,
    is_silent: port.isSilent,
    degraded: port.degraded,
    is_paused: port.isPaused,
    bytes: port.bytes,
    frames: port.frames,
    messages: port.messages,
    errors: port.decodeErrors + port.oversized + port.torn + port.checksumErrors + port.escapeErrors,
    overruns: port.overruns,
    opens: port.opens,
    reopens: port.reopens,
    power_cycles: port.powerCycles,
    last_frame: port.lastFrameAt === null ? null : timestamp(port.lastFrameAt),
    last_error: port.lastError,
    last_bad_frame: port.lastBadFrame,
    commands: {
      waiting: port.commands.waiting,
      done: port.commands.done,
      refused: port.commands.refused,
      late: port.commands.late,
      failed: port.commands.failed,
      last_fault: port.commands.lastFault,
    },
    units:
      port.modbus?.units.map(({ unit, name, state, answers, failures, exceptions, lastFault }) => ({
        unit,
        name,
        state,
        answers,
        failures,
        exceptions,
        last_fault: lastFault,
      })) ?? null,
    bus: port.modbus === null ? null : busReport(port.modbus),
  };
}

function busReport({ skipped, strayBytes, strayFrames, hasEcho }: ModbusStatus): BusReport {
  return { skipped, stray_bytes: strayBytes, stray_frames: strayFrames, echo: hasEcho };
}

function hostReport(host: HostIngress): HostReport {
  const { looks, messages, hanging, lastFault } = host.status();
  return { looks, messages, hanging, last_fault: lastFault };
}
