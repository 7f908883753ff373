// A stream that stores and never says so: it is asked what it holds before anything is sent again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { LEAF, startHub } from "../support/hub.ts";
import { startSpoke } from "../support/spoke.ts";
import { HubStream } from "../support/stream.ts";

/** Shorter than any wait of ours: whatever is sent again would stand there twice. */
const WINDOW_NANOS = 500e6;
const FIRST = 300;
const SECOND = 40;

test("a stream with no_ack: everything is found in it, nothing is sent again, and the outbox drains", {
  concurrency: true,
}, async (t) => {
  await Promise.all(
    TESTED_LINES.map((version) =>
      t.test(`hub ${version}`, async () => {
        await using hub = await startHub({ version, jetstream: true });
        const nats = await hub.connect();
        const stream = await HubStream.create(nats, "MUTE", ["sensors.>"], 1, {
          no_ack: true,
          duplicate_window: WINDOW_NANOS,
        });
        await using spoke = await startSpoke({
          remote: { urls: [hub.leafUrl], user: LEAF.user, password: LEAF.password },
          settings: { outbox: { rules: [{ subjects: [">"], keep: "always", confirm: "stored" }] } },
        });
        await spoke.untilReady();
        await using device = await spoke.device();
        for (let i = 0; i < FIRST; i++) await device.publishAsync(`sensors/${i % 3}`, String(i), { qos: 1 });
        await spoke.until("the silence is noticed", ({ remotes }) => remotes[0]!.outbox.suspended.length === 3);
        // They wait behind the silence, and are sent when the stream was found to store.
        for (let i = 0; i < SECOND; i++) await device.publishAsync("sensors/0", String(FIRST + i), { qos: 1 });
        const report = await spoke.until("it drains", ({ remotes }) => remotes[0]!.outbox.depth === 0);
        const { losses, delivered, held, suspended } = report.remotes[0]!.outbox;
        assert.deepEqual({ losses, delivered, held }, { losses: [], delivered: FIRST + SECOND, held: 0 });
        assert.ok(suspended.length <= 3);
        const stored = (await stream.payloads()).map(Number).sort((a, b) => a - b);
        assert.deepEqual(
          stored,
          Array.from({ length: FIRST + SECOND }, (_, i) => i),
          "each of them once",
        );
        await nats.close();
      }),
    ),
  );
});
