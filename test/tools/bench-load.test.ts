import assert from "node:assert/strict";
import { test } from "node:test";
import * as mqtt from "mqtt-packet";
import { connectPacket, publishBlock, STAMP_AT, STAMP_CHARS } from "../../scripts/lib/bench/mqtt-packets.ts";
import { HELP, PAYLOAD_BYTES, parseOptions } from "../../scripts/lib/bench/options.ts";

function parseAll(bytes: Buffer): mqtt.Packet[] {
  const packets: mqtt.Packet[] = [];
  const parser = mqtt.parser();
  parser.on("packet", (packet) => packets.push(packet));
  parser.on("error", (error) => assert.fail(error));
  assert.equal(parser.parse(bytes), 0, "bytes are left over");
  return packets;
}

test("the CONNECT of a device is one to a stock parser", () => {
  const [packet] = parseAll(connectPacket("device-1", "user", "secret")) as [mqtt.IConnectPacket];
  assert.equal(packet.cmd, "connect");
  assert.deepEqual([packet.clientId, packet.username, packet.password?.toString()], ["device-1", "user", "secret"]);
  assert.deepEqual([packet.clean, packet.keepalive, packet.protocolVersion], [true, 0, 4]);
});

test("a block is its PUBLISHes one behind the other, each of the same length, with packet ids from 1 at QoS 1", () => {
  for (const qos of [0, 1] as const) {
    const { bytes, packetBytes, packets } = publishBlock(3, qos, 50);
    assert.equal(bytes.length, packetBytes * packets);
    const parsed = parseAll(bytes) as mqtt.IPublishPacket[];
    assert.equal(parsed.length, 50);
    for (const [i, packet] of parsed.entries()) {
      assert.deepEqual(
        [packet.cmd, packet.topic, packet.qos, packet.retain],
        ["publish", "sensors/device-3/reading", qos, false],
      );
      assert.equal(packet.payload.length, PAYLOAD_BYTES);
      assert.equal(JSON.parse(packet.payload.toString()).n, 100_000 + i);
      assert.equal(packet.messageId, qos === 0 ? undefined : i + 1);
    }
  }
});

test("a send time written where the block says lies in the payload where the subscriber looks", () => {
  const { bytes, packetBytes, stampAt } = publishBlock(0, 0, 2);
  bytes.write("0123456789abcdef", packetBytes + stampAt);
  const [, second] = parseAll(bytes) as mqtt.IPublishPacket[];
  assert.equal(second!.payload.slice(STAMP_AT, STAMP_AT + STAMP_CHARS).toString(), "0123456789abcdef");
  assert.equal(JSON.parse(second!.payload.toString()).at, "0123456789abcdef");
});

test("the command line is understood, or answered with what is wrong", () => {
  assert.equal(parseOptions(["--help"]), HELP);
  assert.match(parseOptions(["--rounds", "0"]) as string, /--rounds wants a number from 1 to 100, got "0"/);
  assert.match(parseOptions(["--inflight", "x"]) as string, /--inflight wants a number/);
  assert.match(parseOptions(["--fast"]) as string, /--fast/);
  const quick = parseOptions(["--quick", "--json"]);
  assert.ok(typeof quick !== "string");
  assert.deepEqual([quick.rounds, quick.isQuick, quick.isJson, quick.isProfile], [3, true, true, false]);
});
