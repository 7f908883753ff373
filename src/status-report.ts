// Gathers what the parts say of themselves into one report.

import { timestamp } from "#base/clock.ts";
import { formatEndpoint } from "#base/net.ts";
import type { Config } from "#config/config.ts";
import type { MqttIngress } from "#ingress/mqtt/mqtt-ingress.ts";
import type { SerialIngress } from "#ingress/serial/serial-ingress.ts";
import { judge } from "#status/health.ts";
import type { MqttReport, RemoteReport, SerialReport, StatusReport } from "#status/report.ts";
import type { Uplink } from "#uplink/uplink.ts";

export function reportOf(
  config: Config,
  facts: { readonly version: string },
  parts: { readonly uplinks: readonly Uplink[]; readonly mqtt: MqttIngress | null; readonly serial: SerialIngress | null },
  now: { readonly uptimeMs: number; readonly wall: number },
): StatusReport {
  const remotes = parts.uplinks.map(remoteReport);
  const serial = parts.serial?.status().map(serialReport) ?? [];
  return {
    version: facts.version,
    server_name: config.serverName,
    device_id: config.deviceId,
    now: timestamp(now.wall),
    uptime_seconds: Math.round(now.uptimeMs / 1000),
    rss_bytes: process.memoryUsage.rss(),
    health: judge(remotes, serial),
    remotes,
    mqtt: parts.mqtt === null ? null : mqttReport(parts.mqtt),
    serial,
  };
}

function remoteReport(uplink: Uplink): RemoteReport {
  const { account, link, outbox, hubInterest, messagesIn } = uplink.status();
  const { recovery } = outbox;
  return {
    account,
    link: {
      state: link.state,
      url: link.url,
      since: timestamp(link.sinceWall),
      attempt: link.attempt,
      rtt_ms: link.rttMs,
      tls: link.isTls,
      hub_name: link.hub?.name ?? null,
      hub_version: link.hub?.version ?? null,
      hub_interest: hubInterest,
      connects: link.connects,
      bytes_in: link.bytesIn,
      bytes_out: link.bytesOut,
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
      held: outbox.held,
      last_seq: outbox.lastSeq,
      confirmed_seq: outbox.confirmedSeq,
      committed_seq: outbox.committedSeq,
      delivered: outbox.delivered,
      live_sent: outbox.liveSent,
      commits: outbox.commits,
      fault: outbox.fault,
      losses: outbox.losses.map((loss) => ({
        reason: loss.reason,
        messages: loss.messages,
        from_seq: loss.fromSeq,
        through_seq: loss.throughSeq,
      })),
      recovery: { records: recovery.records, torn_bytes: recovery.tornBytes, damaged: recovery.damaged.length },
    },
  };
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
  };
}

function serialReport(port: ReturnType<SerialIngress["status"]>[number]): SerialReport {
  return {
    name: port.name,
    path: port.path,
    state: port.state,
    cause: port.cause,
    is_silent: port.isSilent,
    bytes: port.bytes,
    frames: port.frames,
    errors: port.decodeErrors + port.oversized,
  };
}
