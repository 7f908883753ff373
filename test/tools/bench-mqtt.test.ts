import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import { test } from "node:test";
import { BenchClient, publishBlock } from "../../scripts/lib/bench/mqtt-bench-client.ts";
import { formatMqttReport, type MqttSample } from "../../scripts/lib/bench/mqtt-report.ts";
import { MqttSite } from "../../scripts/lib/bench/mqtt-site.ts";

/** Hands every PUBLISH of QoS 0 on to whoever subscribed, whole or in two pieces. */
async function relay(splitAt: number) {
  const subscribers = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined).on("close", () => subscribers.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      if (chunk[0] === 0x10) socket.write(Buffer.of(0x20, 2, 0, 0));
      else if (chunk[0] === 0x82) {
        subscribers.add(socket);
        socket.write(Buffer.of(0x90, 3, 0, 1, 0));
      } else
        for (const subscriber of subscribers) {
          subscriber.write(chunk.subarray(0, splitAt));
          subscriber.write(chunk.subarray(splitAt));
        }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = () => void server.close();
  return { port: (server.address() as net.AddressInfo).port, [Symbol.dispose]: close };
}

test("a block is whole PUBLISHes one behind the other, each with its own packet id", () => {
  const { bytes, packetBytes, payloadAt } = publishBlock("bench/device-007", 1, 3);
  assert.equal(bytes.length, 3 * packetBytes);
  for (let i = 0; i < 3; i++) {
    const packet = bytes.subarray(i * packetBytes, (i + 1) * packetBytes);
    assert.equal(packet[0], 0x32);
    assert.equal((packet[1]! & 127) + packet[2]! * 128, packetBytes - 3);
    assert.equal(packet.toString("latin1", 5, 21), "bench/device-007");
    assert.deepEqual([packet.readUInt16BE(21), payloadAt], [i + 1, 23]);
  }
});

test("a site counts every delivery to every subscriber once, however the broker's writes are cut", async () => {
  for (const splitAt of [1, 2, 50]) {
    using broker = await relay(splitAt);
    using site = await MqttSite.open({ port: broker.port, qos: 0, publishers: 2, subscribers: 3, inflight: 20 });
    const { published, delivered } = await site.saturate(2_500);
    assert.deepEqual([published, delivered], [2_500, 7_500]);
    const times = await site.pace(500, 0.1);
    assert.equal(times.length, 150);
    assert.ok(times[0]! >= 0 && times.at(-1)! < 60_000);
  }
});

test("a broker that refuses a client is a fault and not a hang", async () => {
  const server = net.createServer((socket) => void socket.on("error", () => undefined).write(Buffer.of(0x20, 2, 0, 5)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const handler = { onMessage: () => undefined, onAcked: () => undefined, onChunk: () => undefined };
  const { port } = server.address() as net.AddressInfo;
  await assert.rejects(BenchClient.open(port, "x", handler), /CONNACK says 5/);
  server.close();
});

test("the table shows medians, what ours is to each peer, and who failed", () => {
  const sample = (broker: string, rate: number | null, cpuUs: number | null): MqttSample => {
    const fault = rate === null ? "nothing of 500 messages was delivered" : null;
    return {
      broker,
      workload: "1 → 1",
      qos: 0,
      rate,
      cpuUs,
      cpuShare: rate === null ? null : 0.9,
      lost: 0,
      p50Ms: 1,
      p99Ms: 2,
      fault,
    };
  };
  const samples = [sample("spoke", 100, 1), sample("spoke", 300, 3), sample("spoke", 200, 2), sample("peer", 50, 4)];
  const idle = [{ broker: "spoke", aloneMiB: 80, crowdedMiB: 100, clientKiB: 20.48 }];
  const report = { machine: {}, versions: {}, notes: [], rounds: 3, samples: [...samples, sample("broken", null, null)], idle };
  const text = formatMqttReport(report);
  assert.match(text, /spoke +200 +2\.00 +90 %/);
  assert.match(text, /peer +50 +4\.00 .* × 4\.00 +× 0\.50/);
  assert.match(text, /broken +failed: nothing of 500 messages was delivered/);
  assert.match(text, /spoke +80\.0 +100\.0 +20\.5/);
});
