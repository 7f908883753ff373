// Clients in a list, without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import { listMqtt, type MqttClient } from "#web/page/devices/clients.ts";

test("a thousand clients are searched and ordered at once, equals by their names", () => {
  const clients = Array.from({ length: 1_000 }, (_, i) =>
    clientOf({ client_id: `meter-${999 - i}`, queue: i % 3, user: `u${i}` }),
  );
  const before = performance.now();
  assert.equal(listMqtt(clients, "METER-99", "name").length, 11);
  assert.equal(listMqtt(clients, "u1000", "name").length, 0);
  const byQueue = listMqtt(clients, "", "queue");
  assert.deepEqual(
    [byQueue[0]!.queue, byQueue.at(-1)!.queue, byQueue.filter(({ queue }) => queue === 2)[0]!.client_id],
    [2, 0, "meter-1"],
  );
  assert.ok(performance.now() - before < 200);
});

function clientOf(more: Partial<MqttClient>): MqttClient {
  return {
    client_id: "meter",
    connected: true,
    user: "u",
    account: "EDGE",
    address: "127.0.0.1:1",
    version: "3.1.1",
    since: null,
    last_seen: null,
    messages_in: 0,
    messages_out: 0,
    rate_in: null,
    inflight: 0,
    queue: 0,
    queue_bytes: 0,
    session_kept: false,
    subscriptions: 0,
    tls: false,
    ...more,
  };
}
