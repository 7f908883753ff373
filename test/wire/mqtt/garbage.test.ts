// Packets that are almost right: valid ones with a few bytes changed, cut or doubled. Seeded; a failing run prints its seed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isValidSubject } from "#core/subject.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { connect, hex, MqttDoor, puback, publish, subscribe, unsubscribe } from "./harness.ts";

const CLIENTS = 300;

const VALID: readonly Buffer[] = [
  connect({ clientId: "x", will: { topic: "w/x", payload: "bye", qos: 1 }, user: "ann", password: "wrong" }),
  publish("plant/7/temp", "21.5"),
  publish("a.b//c", "x", { packetId: 9 }),
  publish("é/ü", "x", { packetId: 300, retain: true }),
  subscribe(5, ["a/#", 1], ["b/+", 0], ["$SYS/x", 2]),
  unsubscribe(6, "a/#", "b/+"),
  puback(1),
  hex("c0 00"),
];

function mangled(random: () => number): Buffer {
  const below = (limit: number) => Math.floor(random() * limit);
  const parts = Array.from({ length: 1 + below(8) }, () => Buffer.from(VALID[below(VALID.length)]!));
  const bytes = Buffer.concat(parts);
  for (let i = below(4); i > 0; i--) bytes[below(bytes.length)] = below(256);
  return random() < 0.3 ? bytes.subarray(0, below(bytes.length)) : bytes;
}

test("mangled packets end their own connection at most, and only valid subjects come through", async (t) => {
  const seed = Math.floor(Math.random() * 0x7fffffff);
  t.diagnostic(`seed ${seed}`);
  const random = seededRandom(seed);
  await using door = await MqttDoor.open({ stages: false });
  await using witness = await door.connected("witness");
  for (let i = 0; i < CLIENTS; i++) {
    await using device = random() < 0.2 ? await door.dial() : await door.connected(`device-${i % 10}`);
    device.send(mangled(random));
    device.socket.end();
    await device.isOver();
  }
  await witness.isIdle();
  for (const taken of door.upstream.taken) assert.ok(hasValidSubject(taken), `seed ${seed}: ${taken}`);
  assert.equal(door.ingress.status().clients.length, 1, `seed ${seed}`);
  assert.equal(door.router.subscriptions, 0, `seed ${seed}`);
});

/** `subject=payload`, and a mangled subject may hold a "=" itself. */
function hasValidSubject(taken: string): boolean {
  for (let at = taken.indexOf("="); at >= 0; at = taken.indexOf("=", at + 1)) if (isValidSubject(taken.slice(0, at))) return true;
  return false;
}
