// Every packet the codec refuses, sent to a listening door: it ends its own connection, with a reason where the version has words for it, and
// nothing else. The table: test/support/mqtt-malformed.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { versionName } from "#ingress/mqtt/version.ts";
import { connectPacket } from "../../support/mqtt-bytes.ts";
import { MALFORMED_CASES } from "../../support/mqtt-malformed.ts";
import { MqttDoor, type RawClient } from "./harness.ts";

const CONNECT = 1;
const DISCONNECT = 0xe0;

/** The first byte and the body of the next packet. */
async function nextPacket(client: RawClient): Promise<readonly [first: number, body: Buffer]> {
  const [first = 0, firstLength = 0] = await client.take(2);
  let length = firstLength & 127;
  for (let scale = 128, byte = firstLength; byte > 127; scale *= 128) {
    [byte = 0] = await client.take(1);
    length += (byte & 127) * scale;
  }
  return [first, await client.take(length)];
}

for (const version of [3, 4, 5] as const) {
  test(`MQTT-4.8.0-1: each malformed packet of ${versionName(version)} ends its own connection and no other`, async () => {
    await using door = await MqttDoor.open({ stages: false });
    await using witness = await door.connected("witness");
    for (const { name, versions, bytes, reason } of MALFORMED_CASES) {
      if (!versions.includes(version)) continue;
      await using client = await door.dial();
      const packet = bytes(version);
      const isConnect = packet[0]! >> 4 === CONNECT;
      if (!isConnect) {
        client.send(connectPacket(version, { clientId: "device" }));
        const [first, body] = await nextPacket(client);
        assert.deepEqual([first, body[1]], [0x20, 0], `${name}: CONNACK`);
      }
      client.send(packet);
      if (version === 5 && !isConnect) {
        const [first, body] = await nextPacket(client);
        assert.deepEqual([first, body[0]], [DISCONNECT, reason], `${name}: DISCONNECT, its reason`);
      }
      if (isConnect) await client.isOver();
      else await client.isClosed();
    }
    await witness.isIdle();
    assert.deepEqual(
      door.ingress.status().clients.map(({ clientId }) => clientId),
      ["witness"],
    );
    assert.equal(door.upstream.taken.length, 0, "nothing of them came through");
  });
}
