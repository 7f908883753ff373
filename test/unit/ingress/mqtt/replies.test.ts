// Our answers, byte by byte, for every version; and never longer than the client takes.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as mqttPacket from "mqtt-packet";
import { ProtocolError } from "#base/errors.ts";
import {
  limitExceeded,
  MQTT_DENIED,
  MQTT_PACKET_TOO_LARGE,
  MQTT_TOPIC_REFUSED,
  MQTT_UNEXPECTED_PACKET,
  malformed,
  protocolError,
  reasonOf,
} from "#ingress/mqtt/errors.ts";
import { REASON, returnCodeOf } from "#ingress/mqtt/reason-codes.ts";
import { Replies, type ReplyTarget } from "#ingress/mqtt/replies.ts";
import type { MqttVersion } from "#ingress/mqtt/version.ts";
import { packet, property, raw, section, word } from "../../../support/mqtt-bytes.ts";

class Slab implements ReplyTarget {
  bytes = Buffer.alloc(16);
  #used = 0;

  reserve(count: number): number {
    if (this.#used + count > this.bytes.length) this.bytes = Buffer.concat([this.bytes, Buffer.alloc(count)]);
    return this.#used;
  }

  commit(end: number): void {
    this.#used = end;
  }

  get written(): Buffer {
    return this.bytes.subarray(0, this.#used);
  }
}

interface Client {
  readonly version: MqttVersion;
  readonly packetBytesMax?: number;
  readonly wantsProblems?: boolean;
}

/** What is written; throws when the answer says it was not. */
function sent(client: Client, say: (replies: Replies) => boolean): Buffer {
  const { version, packetBytesMax = Number.POSITIVE_INFINITY, wantsProblems = true } = client;
  const slab = new Slab();
  const replies = new Replies(slab);
  replies.speak(version, packetBytesMax, wantsProblems);
  const isSent = say(replies);
  assert.equal(isSent, slab.written.length > 0);
  assert.ok(slab.written.length <= packetBytesMax);
  return slab.written;
}

const V3: Client = { version: 3 };
const V4: Client = { version: 4 };
const V5: Client = { version: 5 };

test("CONNACK says session and result, in 3.x by return code, in 5.0 by reason and properties", () => {
  for (const client of [V3, V4]) {
    assert.deepEqual(
      sent(client, (it) => it.connack(0, { isSessionPresent: true, receiveMaximum: 9 })),
      raw(0x20, 2, 1, 0),
    );
    assert.deepEqual(
      sent(client, (it) => it.connack(REASON.badCredentials)),
      raw(0x20, 2, 0, 4),
    );
  }
  assert.deepEqual(
    sent(V5, (it) => it.connack(0)),
    raw(0x20, 3, 0, 0, 0),
  );
  assert.deepEqual(
    sent(V5, (it) => it.connack(REASON.badCredentials)),
    raw(0x20, 3, 0, 0x86, 0),
  );
});

test("MQTT5-3.2.2-6: a CONNACK that refuses says session present 0", () => {
  for (const client of [V4, V5]) assert.equal(sent(client, (it) => it.connack(REASON.banned, { isSessionPresent: true }))[2], 0);
});

test("every fact of a CONNACK is read back by mqtt-packet", () => {
  const bytes = sent(V5, (it) =>
    it.connack(0, {
      isSessionPresent: true,
      reasonString: "welcome",
      sessionExpirySeconds: 600,
      receiveMaximum: 100,
      maximumQos: 1,
      isRetainAvailable: false,
      maximumPacketBytes: 262_144,
      assignedClientId: "petiole-1",
      topicAliasMaximum: 32,
      areWildcardsAvailable: false,
      areSubscriptionIdsAvailable: false,
      areSharedSubscriptionsAvailable: false,
      serverKeepAliveSeconds: 60,
      responseInformation: "info",
      serverReference: "elsewhere",
      authenticationMethod: "none",
    }),
  );
  const found = parsed(bytes);
  assert.ok(found.cmd === "connack");
  assert.deepEqual(
    { ...found.properties },
    {
      sessionExpiryInterval: 600,
      receiveMaximum: 100,
      maximumQoS: 1,
      retainAvailable: false,
      maximumPacketSize: 262_144,
      assignedClientIdentifier: "petiole-1",
      topicAliasMaximum: 32,
      wildcardSubscriptionAvailable: false,
      subscriptionIdentifiersAvailable: false,
      sharedSubscriptionAvailable: false,
      serverKeepAlive: 60,
      responseInformation: "info",
      serverReference: "elsewhere",
      authenticationMethod: "none",
      reasonString: "welcome",
    },
  );
});

test("what a server can do is left out of a CONNACK, what it cannot is said", () => {
  const bytes = sent(V5, (it) => it.connack(0, { isRetainAvailable: true, areWildcardsAvailable: false }));
  assert.deepEqual(bytes, packet(0x20, raw(0, 0), section(property.byte(0x28, 0))));
});

test("acknowledgements are four bytes as long as they say nothing more", () => {
  for (const client of [V3, V4, V5]) {
    assert.deepEqual(
      sent(client, (it) => it.puback(0x1234)),
      raw(0x40, 2, 0x12, 0x34),
    );
    assert.deepEqual(
      sent(client, (it) => it.pubrec(1)),
      raw(0x50, 2, 0, 1),
    );
    assert.deepEqual(
      sent(client, (it) => it.pubrel(1)),
      raw(0x62, 2, 0, 1),
    );
    assert.deepEqual(
      sent(client, (it) => it.pubcomp(1)),
      raw(0x70, 2, 0, 1),
    );
  }
});

test("in 5.0 they say why, in 3.x they cannot", () => {
  const why = (it: Replies) => it.puback(5, REASON.quotaExceeded, "full");
  assert.deepEqual(sent(V5, why), packet(0x40, word(5), raw(0x97), section(property.text(0x1f, "full"))));
  assert.deepEqual(sent(V4, why), raw(0x40, 2, 0, 5));
  assert.deepEqual(
    sent(V5, (it) => it.pubcomp(5, REASON.packetIdNotFound)),
    packet(0x70, word(5), raw(0x92)),
  );
});

test("MQTT5-3.4.2-2: a reason string that would make the packet too long is left out", () => {
  const why = (it: Replies) => it.puback(5, REASON.quotaExceeded, "full");
  assert.deepEqual(sent({ version: 5, packetBytesMax: 12 }, why), packet(0x40, word(5), raw(0x97)));
  assert.equal(sent({ version: 5, packetBytesMax: 13 }, why).length, 13);
  const goodbye = (it: Replies) => it.disconnect(REASON.serverBusy, "later", "elsewhere");
  assert.deepEqual(sent({ version: 5, packetBytesMax: 5 }, goodbye), raw(0xe0, 1, 0x89));
  const suback = (it: Replies) => it.suback(5, [1, 2], "words");
  assert.deepEqual(sent({ version: 5, packetBytesMax: 8 }, suback), packet(0x90, word(5), raw(0, 1, 2)));
});

test("MQTT5-3.1.2-24: what cannot be made short enough is not sent, and that is told", () => {
  assert.equal(sent({ version: 5, packetBytesMax: 4 }, (it) => it.connack(0)).length, 0);
  assert.equal(sent({ version: 5, packetBytesMax: 3 }, (it) => it.puback(1)).length, 0);
  assert.equal(sent({ version: 5, packetBytesMax: 1 }, (it) => it.pingresp()).length, 0);
  assert.equal(sent({ version: 5, packetBytesMax: 129 }, (it) => it.suback(1, new Array(125).fill(0))).length, 0);
});

test("MQTT5-3.1.2-29: a client that wants no problem information gets reason strings in CONNACK and DISCONNECT only", () => {
  const quiet: Client = { version: 5, wantsProblems: false };
  assert.deepEqual(
    sent(quiet, (it) => it.puback(5, REASON.quotaExceeded, "full")),
    packet(0x40, word(5), raw(0x97)),
  );
  assert.deepEqual(
    sent(quiet, (it) => it.suback(5, [0x87], "no")),
    packet(0x90, word(5), raw(0, 0x87)),
  );
  assert.deepEqual(
    sent(quiet, (it) => it.unsuback(5, [0x11], "no")),
    packet(0xb0, word(5), raw(0, 0x11)),
  );
  const words = section(property.text(0x1f, "no"));
  assert.deepEqual(
    sent(quiet, (it) => it.connack(0x87, { reasonString: "no" })),
    packet(0x20, raw(0, 0x87), words),
  );
  assert.deepEqual(
    sent(quiet, (it) => it.disconnect(0x87, "no")),
    packet(0xe0, raw(0x87), words),
  );
});

test("SUBACK and UNSUBACK have a code for each filter, as the version has them", () => {
  assert.deepEqual(
    sent(V4, (it) => it.suback(5, [0, 1, 2, 0x87])),
    packet(0x90, word(5), raw(0, 1, 2, 0x80)),
  );
  assert.deepEqual(
    sent(V5, (it) => it.suback(5, [0, 1, 2, 0x87])),
    packet(0x90, word(5), raw(0, 0, 1, 2, 0x87)),
  );
  assert.deepEqual(
    sent(V4, (it) => it.unsuback(5, [0, 0x11])),
    raw(0xb0, 2, 0, 5),
  );
  assert.deepEqual(sent(V5, (it) => it.unsuback(5, [0, 0x11], "one was not there")).subarray(0, 4), raw(0xb0, 25, 0, 5));
  const many = sent(V5, (it) => it.suback(5, new Array(1000).fill(1)));
  assert.deepEqual(many, packet(0x90, word(5), raw(0), Buffer.alloc(1000, 1)));
});

test("PINGRESP is two bytes; DISCONNECT exists in 5.0 only", () => {
  for (const client of [V3, V4, V5])
    assert.deepEqual(
      sent(client, (it) => it.pingresp()),
      raw(0xd0, 0),
    );
  assert.deepEqual(
    sent(V5, (it) => it.disconnect(REASON.sessionTakenOver)),
    raw(0xe0, 1, 0x8e),
  );
  for (const client of [V3, V4]) assert.equal(sent(client, (it) => it.disconnect(REASON.sessionTakenOver)).length, 0);
});

test("a reason string is well-formed and no longer than a string may be", () => {
  const bytes = sent(V5, (it) => it.disconnect(0x80, `\0${"é".repeat(40_000)}`));
  const found = parsed(bytes);
  assert.ok(found.cmd === "disconnect");
  assert.equal(found.properties?.["reasonString"], "é".repeat(32_767));
});

test("every reason has a return code of 3.1.1, and success is only success", () => {
  for (const reason of Object.values(REASON)) {
    const code = returnCodeOf(reason);
    assert.ok(code >= 0 && code <= 5);
    if (reason >= 0x80) assert.notEqual(code, 0);
  }
  assert.deepEqual([0, 0x84, 0x85, 0x88, 0x86, 0x87].map(returnCodeOf), [0, 1, 2, 3, 4, 5]);
});

test("MQTT5-4.13.1-1: a breach tells its reason, and a fault of ours is never called the client's", () => {
  const reasons: readonly (readonly [unknown, number])[] = [
    [malformed("x"), 0x81],
    [protocolError("x"), 0x82],
    [protocolError("x", REASON.topicAliasInvalid), 0x94],
    [limitExceeded("x"), 0x97],
    [new ProtocolError(MQTT_PACKET_TOO_LARGE, "x"), 0x95],
    [new ProtocolError(MQTT_UNEXPECTED_PACKET, "x"), 0x82],
    [new ProtocolError(MQTT_TOPIC_REFUSED, "x"), 0x90],
    [new ProtocolError(MQTT_DENIED, "x"), 0x87],
    [new ProtocolError("SOMETHING_ELSE", "x"), 0x80],
    [new Error("a bug"), 0x83],
  ];
  for (const [error, reason] of reasons) assert.equal(reasonOf(error), reason, String(error));
});

function parsed(bytes: Buffer): mqttPacket.Packet {
  const found: mqttPacket.Packet[] = [];
  const parser = mqttPacket.parser({ protocolVersion: 5 });
  parser.on("packet", (each) => found.push(each));
  parser.on("error", (error) => {
    throw error;
  });
  parser.parse(bytes);
  assert.equal(found.length, 1);
  return found[0]!;
}
