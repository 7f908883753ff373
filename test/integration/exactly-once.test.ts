// Exactly once into a stream, over outages longer than its duplicate window: a real daemon, killed in the middle of its drain, and a link cut
// under load. What the stream holds already is asked for before it is sent again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { headers, type NatsConnection } from "@nats-io/transport-node";
import type { MqttClient } from "mqtt";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { freePorts } from "../support/free-ports.ts";
import { LEAF, startHub } from "../support/hub.ts";
import { LinkCutter } from "../support/link-cutter.ts";
import { Daemon, mqttDevice } from "../support/spoke.ts";
import { HubStream } from "../support/stream.ts";
import { tempFolder } from "../support/temp-folder.ts";

const WINDOW_MS = 2_000;
/** Beyond the window, in milliseconds. OUTAGE_MS makes it longer. */
const OUTAGE_MS = Number(process.env["OUTAGE_MS"] ?? WINDOW_MS + 1_000);
const BACKLOG = 1_500;

for (const version of TESTED_LINES) {
  for (const confirm of ["accepted", "stored", "auto"]) {
    test(`hub ${version}, confirm ${confirm}: window ${WINDOW_MS} ms, outage ${OUTAGE_MS} ms, kill -9 in the middle: 0 lost, 0 doubled`, async () => {
      await using hub = await startHub({ version, jetstream: true });
      const nats = await hub.connect();
      const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"], 1, { duplicate_window: WINDOW_MS * 1e6 });
      await HubStream.create(nats, "PROBE", ["probe"], 1, { duplicate_window: WINDOW_MS * 1e6 });
      await using cutter = await LinkCutter.before(hub.server.port("leaf"));
      await using folder = await tempFolder("petiole-once");
      const [mqttPort] = await freePorts(1);
      const rule = { subjects: [">"], class: "telemetry", keep: "always", confirm, order: "strict" };
      await using daemon = await Daemon.start({
        dataDir: folder.path,
        mqttPort: mqttPort!,
        remote: { urls: [cutter.through(hub.leafUrl)], user: LEAF.user, password: LEAF.password },
        settings: { outbox: { free_reserve: "0B", rules: [rule] } },
      });
      const ready = () => daemon.until("the link is ready", ({ remotes }) => remotes[0]!.link.state === "ready");
      const acked: string[] = [];
      const publish = async (name: string, count: number) => {
        await using device = await mqttDevice(mqttPort!);
        await publishAll(device, name, count, acked);
      };

      // A backlog on flash; killed while it drains.
      await ready();
      await publish("up", 50);
      cutter.cut();
      await publish("backlog", BACKLOG);
      cutter.heal();
      await stream.holds(50 + 200);
      await daemon.kill();
      await windowPasses(nats);
      const before = await stream.count();
      await daemon.restart();
      await stream.holds(acked.length);
      const { remotes } = await daemon.until("all is delivered", (report) => report.remotes[0]!.outbox.depth === 0);
      const { reconcile } = remotes[0]!.outbox;
      assert.equal(reconcile?.result, "done", JSON.stringify(reconcile));
      assert.ok(reconcile.found >= before - 50, `${reconcile.found} ids found of ${before}`);

      // A link cut under load, for longer than the window.
      const load = publish("load", 600);
      await stream.holds(acked.length);
      cutter.cut();
      await load;
      await windowPasses(nats);
      cutter.heal();
      await stream.holds(acked.length);
      await daemon.until("all is delivered", (report) => report.remotes[0]!.outbox.depth === 0);

      const payloads = await stream.payloads();
      const held = new Set(payloads);
      assert.deepEqual(
        acked.filter((each) => !held.has(each)),
        [],
        "lost",
      );
      assert.deepEqual(doubles(payloads), [], "doubled");
      assert.equal(await daemon.stop(), 0);
      await nats.close();
    });
  }
}

/** QoS 1, twenty under way at a time; what is acknowledged goes to `acked`. */
async function publishAll(device: MqttClient, name: string, count: number, acked: string[]): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const payload = `${name}-${next++}`;
      await device.publishAsync(`sensors/${name}`, payload, { qos: 1 });
      acked.push(payload);
    }
  };
  await Promise.all(Array.from({ length: 20 }, lane));
}

let probes = 0;

/** Resolves when a stream of the same window has forgotten what it was told before this call, and the outage has been long enough. */
async function windowPasses(nats: NatsConnection): Promise<void> {
  const end = performance.now() + OUTAGE_MS;
  const head = headers();
  head.set("Nats-Msg-Id", `probe-${probes++}`);
  for (let isKnown = true, isFirst = true; isKnown || performance.now() < end; isFirst = false) {
    if (!isFirst) await new Promise((resolve) => setTimeout(resolve, 100));
    const answer = await nats.request("probe", "", { headers: head, timeout: 5_000 });
    isKnown = isFirst || answer.json<{ duplicate?: boolean }>().duplicate === true;
  }
}

function doubles(payloads: readonly string[]): string[] {
  const seen = new Set<string>();
  return payloads.filter((each) => seen.size === seen.add(each).size);
}
