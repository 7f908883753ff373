// The report as Prometheus metrics. Names follow Prometheus: base units, `_total` on counters. All of them: README.md.

import type { HostReport, MqttReport, NatsReport, RemoteReport, SerialReport, StatusReport } from "#status/report.ts";
import { Exposition, type Sample } from "./exposition.ts";
import type { RuntimeReport } from "./runtime-figures.ts";

/** The exposition text and its content type. */
export async function renderMetrics(
  report: StatusReport,
  runtime: RuntimeReport,
): Promise<{ readonly type: string; readonly text: string }> {
  const out = new Exposition();
  const facts = { version: report.version, server_name: report.server_name };
  out.gauge("info", "Constant 1 with the version as a label.", [[facts, 1]]);
  out.gauge("uptime_seconds", "Time since the daemon started.", report.uptime_seconds);
  out.gauge("resident_memory_bytes", "Resident memory of the daemon.", report.rss_bytes);
  out.gauge("health", "0 ok, 1 degraded, 2 failed.", { ok: 0, degraded: 1, failed: 2 }[report.health.verdict]);
  addRuntime(out, runtime);
  addLinks(out, report.remotes);
  addUrls(out, report.remotes);
  addOutboxes(out, report.remotes);
  addLanes(out, report.remotes);
  if (report.mqtt !== null) addMqtt(out, report.mqtt);
  if (report.nats !== null) addNats(out, report.nats);
  addSerial(out, report.serial);
  if (report.host !== undefined) addHost(out, report.host);
  return await out.render();
}

function addRuntime(out: Exposition, runtime: RuntimeReport): void {
  const { eventLoopDelay: delay, pauses, cpuSeconds: cpu } = runtime;
  const quantiles: readonly Sample[] =
    delay === null
      ? []
      : [
          [{ quantile: "0.5" }, delay.p50],
          [{ quantile: "0.9" }, delay.p90],
          [{ quantile: "0.99" }, delay.p99],
          [{ quantile: "1" }, delay.max],
        ];
  out.gauge("event_loop_delay_seconds", "How late the event loop came since the last scrape.", quantiles);
  out.counter("process_cpu_seconds", "CPU time of the daemon.", [
    [{ mode: "user" }, cpu.user],
    [{ mode: "system" }, cpu.system],
  ]);
  const perKind = (of: (pause: RuntimeReport["pauses"][number]) => number) =>
    pauses.map((pause) => [{ kind: pause.kind }, of(pause)] as const);
  out.counter(
    "gc_pauses",
    "Garbage collections.",
    perKind(({ count }) => count),
  );
  out.counter(
    "gc_pause_seconds",
    "Time spent in garbage collection.",
    perKind(({ seconds }) => seconds),
  );
  out.gauge("heap_used_bytes", "JavaScript heap in use.", runtime.heapUsedBytes);
  out.gauge("external_memory_bytes", "Memory outside the JavaScript heap that it holds on to.", runtime.externalBytes);
  const { storageWrittenBytes: written } = runtime;
  if (written !== null)
    out.counter("storage_written_bytes", "Bytes the daemon had written to storage, as the kernel counts.", written);
}

const labelsOf = ({ account, name }: RemoteReport) => ({ account, remote: name });

function perRemote(remotes: readonly RemoteReport[], value: (remote: RemoteReport) => number): readonly Sample[] {
  return remotes.map((remote) => [labelsOf(remote), value(remote)] as const);
}

function addLinks(out: Exposition, remotes: readonly RemoteReport[]): void {
  const gauge = (name: string, help: string, value: (link: RemoteReport["link"]) => number) =>
    out.gauge(
      `link_${name}`,
      help,
      perRemote(remotes, ({ link }) => value(link)),
    );
  const counter = (name: string, help: string, value: (link: RemoteReport["link"]) => number) =>
    out.counter(
      `link_${name}`,
      help,
      perRemote(remotes, ({ link }) => value(link)),
    );
  gauge("ready", "1 while the link to the hub is ready.", (link) => (link.state === "ready" ? 1 : 0));
  gauge("rtt_seconds", "Smoothed round trip time; 0 without a link.", (link) => (link.rtt_ms ?? 0) / 1000);
  gauge("window_bytes", "Bytes that may be under way to the hub; 0 without a link.", (link) => link.flow?.window ?? 0);
  counter("connects", "Times the link became ready.", (link) => link.connects);
  counter("received_messages", "Messages received from the hub.", (link) => link.messages_in);
  counter("sent_bytes", "Bytes sent to the hub, before TLS.", (link) => link.bytes_out);
  counter("received_bytes", "Bytes received from the hub, after TLS.", (link) => link.bytes_in);
  counter("sent_plain_bytes", "Bytes sent to the hub, before compression.", (link) => link.plain_bytes_out);
  counter("received_plain_bytes", "Bytes received from the hub, after decompression.", (link) => link.plain_bytes_in);
  const ratios = remotes.flatMap((remote) => {
    const { bytes_in, bytes_out, plain_bytes_in, plain_bytes_out } = remote.link;
    const labels = labelsOf(remote);
    return [
      ...(bytes_out > 0 ? [[{ ...labels, direction: "sent" }, plain_bytes_out / bytes_out] as const] : []),
      ...(bytes_in > 0 ? [[{ ...labels, direction: "received" }, plain_bytes_in / bytes_in] as const] : []),
    ];
  });
  out.gauge("link_compression_ratio", "Bytes before compression per byte on the wire, since the start.", ratios);
  out.gauge(
    "hub_interest",
    "Subjects the hub listens to.",
    perRemote(remotes, ({ link }) => link.hub_interest),
  );
}

function addUrls(out: Exposition, remotes: readonly RemoteReport[]): void {
  const perUrl = (value: (url: RemoteReport["link"]["urls"][number], link: RemoteReport["link"]) => number | null) =>
    remotes.flatMap((remote) =>
      remote.link.urls.flatMap((url) => {
        const found = value(url, remote.link);
        return found === null ? [] : [[{ ...labelsOf(remote), url: url.url }, found] as const];
      }),
    );
  out.gauge(
    "link_url_in_use",
    "1 for the URL of the ready link.",
    perUrl(({ url }, link) => (link.state === "ready" && link.url === url ? 1 : 0)),
  );
  out.gauge(
    "link_url_failures",
    "Failures in a row since a link over this URL was last ready.",
    perUrl(({ failures_in_row }) => failures_in_row),
  );
  out.gauge(
    "link_url_rtt_seconds",
    "Round trip time last seen over this URL.",
    perUrl(({ rtt_ms }) => (rtt_ms === null ? null : rtt_ms / 1000)),
  );
}

function addOutboxes(out: Exposition, remotes: readonly RemoteReport[]): void {
  const gauge = (name: string, help: string, value: (outbox: RemoteReport["outbox"]) => number) =>
    out.gauge(
      `outbox_${name}`,
      help,
      perRemote(remotes, ({ outbox }) => value(outbox)),
    );
  const counter = (name: string, help: string, value: (outbox: RemoteReport["outbox"]) => number) =>
    out.counter(
      `outbox_${name}`,
      help,
      perRemote(remotes, ({ outbox }) => value(outbox)),
    );
  gauge("messages", "Messages kept and not yet confirmed by the hub.", (outbox) => outbox.depth);
  gauge("flash_bytes", "Bytes of the outbox on flash.", (outbox) => outbox.flash_bytes);
  gauge("staged_bytes", "Bytes of the outbox in memory.", (outbox) => outbox.staged_bytes);
  gauge(
    "held_messages",
    "Messages that wait for a listener at the hub, or for a stream that stores them.",
    (outbox) => outbox.held,
  );
  gauge("faulty", "1 while the outbox cannot write to flash.", (outbox) => (outbox.fault === null ? 0 : 1));
  counter("delivered", "Kept messages confirmed by the hub.", (outbox) => outbox.delivered);
  counter("live_sent", "Messages sent at most once.", (outbox) => outbox.live_sent);
  counter("commits", "Group commits to flash.", (outbox) => outbox.commits);
  gauge("full", "1 while the outbox keeps nothing new.", (outbox) => (outbox.full === null ? 0 : 1));
  gauge("suspended_subjects", "Subjects that wait for a stream that does not store.", (outbox) => outbox.suspended_subjects);
  gauge("ledger_faulty", "1 while losses cannot be written down.", (outbox) => (outbox.ledger_fault === null ? 0 : 1));
  out.counter("outbox_lost", "Messages that did not make it since the outbox was made, by reason.", remotes.flatMap(lossSamples));
}

/** One sample per reason and class, whatever rule they were of. */
function lossSamples(remote: RemoteReport): readonly Sample[] {
  const samples = new Map<string, Sample>();
  for (const { reason, class: urgency, messages } of remote.outbox.losses) {
    const key = `${reason} ${urgency}`;
    const before = samples.get(key)?.[1] ?? 0;
    samples.set(key, [{ ...labelsOf(remote), reason, class: urgency ?? "" }, before + messages]);
  }
  return [...samples.values()];
}

function addLanes(out: Exposition, remotes: readonly RemoteReport[]): void {
  const perLane = (value: (lane: RemoteReport["outbox"]["lanes"][number]) => number) =>
    remotes.flatMap((remote) =>
      remote.outbox.lanes.map((lane) => [{ ...labelsOf(remote), class: lane.class }, value(lane)] as const),
    );
  out.gauge(
    "outbox_lane_messages",
    "Messages of one class kept and not yet confirmed.",
    perLane(({ depth }) => depth),
  );
  out.gauge(
    "outbox_lane_flash_bytes",
    "Bytes of one class on flash.",
    perLane(({ flash_bytes }) => flash_bytes),
  );
  out.gauge(
    "outbox_lane_held_messages",
    "Messages of one class that wait for a listener at the hub, or for a stream that stores them.",
    perLane(({ held }) => held),
  );
  out.counter(
    "outbox_lane_delivered",
    "Kept messages of one class confirmed by the hub.",
    perLane(({ delivered }) => delivered),
  );
}

function addMqtt(out: Exposition, mqtt: MqttReport): void {
  out.gauge("mqtt_clients", "MQTT clients connected.", mqtt.clients);
  out.counter("mqtt_received", "MQTT messages received.", mqtt.messages_in);
  out.counter("mqtt_sent", "MQTT messages sent.", mqtt.messages_out);
  out.counter("mqtt_refused", "MQTT messages from clients without a subject or a permission for it.", mqtt.refused);
  out.counter("mqtt_dropped", "MQTT messages dropped because a client did not keep up.", mqtt.dropped);
}

function addNats(out: Exposition, nats: NatsReport): void {
  out.gauge("nats_clients", "NATS clients connected.", nats.clients);
  out.gauge("nats_subscriptions", "Subscriptions of NATS clients.", nats.subscriptions);
  out.counter("nats_received", "Messages received from NATS clients.", nats.messages_in);
  out.counter("nats_sent", "Messages sent to NATS clients.", nats.messages_out);
  out.counter("nats_slow_consumers", "NATS clients cut off because they read too slowly.", nats.slow_consumers);
  out.counter("nats_refused", "Messages of NATS clients on forbidden or invalid subjects.", nats.refused);
}

function addSerial(out: Exposition, ports: readonly SerialReport[]): void {
  const perPort = (value: (port: SerialReport) => number) => ports.map((port) => [{ port: port.name }, value(port)] as const);
  out.gauge(
    "serial_open",
    "1 while the serial port is open.",
    perPort((port) => (port.cause === null ? 1 : 0)),
  );
  out.counter(
    "serial_frames",
    "Frames read.",
    perPort((port) => port.frames),
  );
  out.counter(
    "serial_received_bytes",
    "Bytes read.",
    perPort((port) => port.bytes),
  );
  out.counter(
    "serial_errors",
    "Frames that were too long or could not be decoded.",
    perPort((port) => port.errors),
  );
  out.gauge(
    "serial_silent",
    "1 while the serial port is open and no frame comes.",
    perPort((port) => (port.is_silent ? 1 : 0)),
  );
  out.counter(
    "serial_overruns",
    "Times the port was not read for longer than the system keeps what comes.",
    perPort((port) => port.overruns),
  );
  out.counter(
    "serial_reopens",
    "Times the port was opened anew because it was no good.",
    perPort((port) => port.reopens),
  );
  out.counter(
    "serial_power_cycles",
    "Times its USB device was taken off the bus.",
    perPort((port) => port.power_cycles),
  );
  out.counter(
    "serial_commands",
    "Commands to the device by what became of them.",
    ports.flatMap(({ name: port, commands }) =>
      (["done", "refused", "failed"] as const).map((outcome) => [{ port, outcome }, commands[outcome]] as const),
    ),
  );
  addUnits(out, ports);
}

function addUnits(out: Exposition, ports: readonly SerialReport[]): void {
  type Unit = NonNullable<SerialReport["units"]>[number];
  const perUnit = (value: (unit: Unit) => number): readonly Sample[] =>
    ports.flatMap(({ name: port, units }) => (units ?? []).map((unit) => [{ port, unit: unit.name }, value(unit)] as const));
  const buses = ports.flatMap(({ name: port, bus }) => (bus === null ? [] : [{ port, bus }]));
  if (buses.length === 0) return;
  out.gauge(
    "modbus_unit_silent",
    "1 while the unit does not answer.",
    perUnit((unit) => (unit.state === "silent" ? 1 : 0)),
  );
  out.counter(
    "modbus_answers",
    "Answers of the unit, refusals included.",
    perUnit((unit) => unit.answers),
  );
  out.counter(
    "modbus_failures",
    "Questions that the unit left unanswered, or answered with garbage.",
    perUnit((unit) => unit.failures),
  );
  out.counter(
    "modbus_exceptions",
    "Answers of the unit that were refusals.",
    perUnit((unit) => unit.exceptions),
  );
  out.counter(
    "modbus_skipped",
    "Questions left out because the bus could not keep up.",
    buses.map(({ port, bus }) => [{ port }, bus.skipped] as const),
  );
  out.counter(
    "modbus_stray_bytes",
    "Bytes on the bus that belonged to no answer.",
    buses.map(({ port, bus }) => [{ port }, bus.stray_bytes] as const),
  );
}

function addHost(out: Exposition, host: HostReport): void {
  out.counter("host_looks", "Looks of the device at itself.", host.looks);
  out.counter("host_messages", "Messages with the device's own readings.", host.messages);
  out.gauge("host_hanging", "Kernel files and file systems that do not answer.", host.hanging.length);
}
