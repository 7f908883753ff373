// The report as Prometheus metrics. Names follow Prometheus: base units, `_total` on counters.

import { Counter, Gauge, Registry } from "prom-client";
import type { StatusReport } from "#status/report.ts";

type Labels = Readonly<Record<string, string>>;

/** The exposition text and its content type. A fresh registry per scrape: the numbers live in the parts, not here. */
export async function renderMetrics(report: StatusReport): Promise<{ readonly type: string; readonly text: string }> {
  const registry = new Registry();
  const gauge = (name: string, help: string, samples: readonly (readonly [Labels, number])[]) => {
    const labelNames = Object.keys(samples[0]?.[0] ?? {});
    const metric = new Gauge({ name: `petiole_${name}`, help, labelNames, registers: [registry] });
    for (const [labels, value] of samples) metric.set({ ...labels }, value);
  };
  const counter = (name: string, help: string, samples: readonly (readonly [Labels, number])[]) => {
    const labelNames = Object.keys(samples[0]?.[0] ?? {});
    const metric = new Counter({ name: `petiole_${name}_total`, help, labelNames, registers: [registry] });
    for (const [labels, value] of samples) metric.inc({ ...labels }, value);
  };

  gauge("info", "Constant 1 with the version as a label.", [[{ version: report.version, server_name: report.server_name }, 1]]);
  gauge("uptime_seconds", "Time since the daemon started.", [[{}, report.uptime_seconds]]);
  gauge("resident_memory_bytes", "Resident memory of the daemon.", [[{}, report.rss_bytes]]);
  gauge("health", "0 ok, 1 degraded, 2 failed.", [[{}, { ok: 0, degraded: 1, failed: 2 }[report.health.verdict]]]);

  const perRemote = (value: (remote: StatusReport["remotes"][number]) => number) =>
    report.remotes.map((remote) => [{ account: remote.account, remote: remote.name }, value(remote)] as const);
  if (report.remotes.length > 0) {
    gauge(
      "link_ready",
      "1 while the link to the hub is ready.",
      perRemote(({ link }) => (link.state === "ready" ? 1 : 0)),
    );
    gauge(
      "link_rtt_seconds",
      "Smoothed round trip time; 0 without a link.",
      perRemote(({ link }) => (link.rtt_ms ?? 0) / 1000),
    );
    gauge(
      "hub_interest",
      "Subjects the hub listens to.",
      perRemote(({ link }) => link.hub_interest),
    );
    counter(
      "link_connects",
      "Times the link became ready.",
      perRemote(({ link }) => link.connects),
    );
    counter(
      "link_sent_bytes",
      "Bytes sent to the hub, before TLS.",
      perRemote(({ link }) => link.bytes_out),
    );
    counter(
      "link_received_bytes",
      "Bytes received from the hub, after TLS.",
      perRemote(({ link }) => link.bytes_in),
    );
    counter(
      "link_sent_plain_bytes",
      "Bytes sent to the hub, before compression.",
      perRemote(({ link }) => link.plain_bytes_out),
    );
    counter(
      "link_received_plain_bytes",
      "Bytes received from the hub, after decompression.",
      perRemote(({ link }) => link.plain_bytes_in),
    );
    gauge(
      "link_window_bytes",
      "Bytes that may be under way to the hub; 0 without a link.",
      perRemote(({ link }) => link.flow?.window ?? 0),
    );
    gauge(
      "outbox_messages",
      "Messages kept and not yet confirmed by the hub.",
      perRemote(({ outbox }) => outbox.depth),
    );
    gauge(
      "outbox_flash_bytes",
      "Bytes of the outbox on flash.",
      perRemote(({ outbox }) => outbox.flash_bytes),
    );
    gauge(
      "outbox_staged_bytes",
      "Bytes of the outbox in memory.",
      perRemote(({ outbox }) => outbox.staged_bytes),
    );
    gauge(
      "outbox_held_messages",
      "Messages nobody at the hub listens to yet.",
      perRemote(({ outbox }) => outbox.held),
    );
    counter(
      "outbox_delivered",
      "Kept messages confirmed by the hub.",
      perRemote(({ outbox }) => outbox.delivered),
    );
    counter(
      "outbox_live_sent",
      "Messages sent at most once.",
      perRemote(({ outbox }) => outbox.live_sent),
    );
    counter(
      "outbox_commits",
      "Group commits to flash.",
      perRemote(({ outbox }) => outbox.commits),
    );
  }
  const losses = report.remotes.flatMap(({ account, name, outbox }) =>
    outbox.losses.map((loss) => {
      const labels = { account, remote: name, reason: loss.reason, class: loss.class ?? "" };
      return [labels, loss.messages] as const;
    }),
  );
  if (losses.length > 0) counter("outbox_lost", "Messages that did not make it, by reason.", losses);
  if (report.mqtt !== null) {
    gauge("mqtt_clients", "MQTT clients connected.", [[{}, report.mqtt.clients]]);
    counter("mqtt_received", "MQTT messages received.", [[{}, report.mqtt.messages_in]]);
    counter("mqtt_sent", "MQTT messages sent.", [[{}, report.mqtt.messages_out]]);
    counter("mqtt_refused", "MQTT messages from clients without a subject or a permission for it.", [[{}, report.mqtt.refused]]);
    counter("mqtt_dropped", "MQTT messages dropped because a client did not keep up.", [[{}, report.mqtt.dropped]]);
  }
  if (report.nats !== null) {
    gauge("nats_clients", "NATS clients connected.", [[{}, report.nats.clients]]);
    gauge("nats_subscriptions", "Subscriptions of NATS clients.", [[{}, report.nats.subscriptions]]);
    counter("nats_received", "Messages received from NATS clients.", [[{}, report.nats.messages_in]]);
    counter("nats_sent", "Messages sent to NATS clients.", [[{}, report.nats.messages_out]]);
    counter("nats_slow_consumers", "NATS clients cut off because they read too slowly.", [[{}, report.nats.slow_consumers]]);
    counter("nats_refused", "Messages of NATS clients on forbidden or invalid subjects.", [[{}, report.nats.refused]]);
  }
  if (report.serial.length > 0) {
    const perPort = (value: (port: StatusReport["serial"][number]) => number) =>
      report.serial.map((port) => [{ port: port.name }, value(port)] as const);
    gauge(
      "serial_open",
      "1 while the serial port is open.",
      perPort((port) => (port.cause === null ? 1 : 0)),
    );
    counter(
      "serial_frames",
      "Frames read.",
      perPort((port) => port.frames),
    );
    counter(
      "serial_received_bytes",
      "Bytes read.",
      perPort((port) => port.bytes),
    );
    counter(
      "serial_errors",
      "Frames that were too long or could not be decoded.",
      perPort((port) => port.errors),
    );
  }
  return { type: registry.contentType, text: await registry.metrics() };
}
