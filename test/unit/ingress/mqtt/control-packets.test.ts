// CONNECT, SUBSCRIBE, UNSUBSCRIBE and the small ones: what they say, in every version.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type ConnectRequest, NEVER_EXPIRES } from "#ingress/mqtt/connect-packet.ts";
import type { MqttVersion } from "#ingress/mqtt/version.ts";
import { connectPacket, packet, property, raw, section, sectionOf, sized, word } from "../../../support/mqtt-bytes.ts";
import { decode } from "../../../support/mqtt-codec.ts";

const VERSIONS: readonly MqttVersion[] = [3, 4, 5];

test("a bare CONNECT has the standard's defaults", () => {
  for (const version of VERSIONS) {
    assert.deepEqual(decode(connectPacket(version, { keepAlive: 0x0102 }), version), {
      version,
      clientId: "c",
      isClean: true,
      keepAliveSeconds: 0x0102,
      user: null,
      password: null,
      will: null,
      sessionExpirySeconds: 0,
      receiveMaximum: 65_535,
      maximumPacketBytes: Number.POSITIVE_INFINITY,
      topicAliasMaximum: 0,
      wantsResponseInformation: false,
      wantsProblemInformation: true,
      authenticationMethod: null,
    } satisfies ConnectRequest);
  }
});

test("clean session 0 in 3.x is a session without an end; clean start 0 in 5.0 says nothing of the end", () => {
  for (const version of VERSIONS) {
    const request = decode(connectPacket(version, { flags: 0 }), version) as ConnectRequest;
    assert.equal(request.isClean, false);
    assert.equal(request.sessionExpirySeconds, version === 5 ? 0 : NEVER_EXPIRES);
  }
});

test("every property of a CONNECT is told", () => {
  const properties = [
    property.user("ignored", "x"),
    property.long(17, 0xffffffff),
    property.word(33, 20),
    property.long(39, 4096),
    property.word(34, 5),
    property.byte(25, 1),
    property.byte(23, 0),
    property.text(21, "SCRAM-SHA-1"),
    property.text(22, "data"),
  ];
  const found = decode(connectPacket(5, { properties }), 5) as ConnectRequest;
  assert.equal(found.sessionExpirySeconds, NEVER_EXPIRES);
  assert.equal(found.receiveMaximum, 20);
  assert.equal(found.maximumPacketBytes, 4096);
  assert.equal(found.topicAliasMaximum, 5);
  assert.equal(found.wantsResponseInformation, true);
  assert.equal(found.wantsProblemInformation, false);
  assert.equal(found.authenticationMethod, "SCRAM-SHA-1");
});

test("will, user name and password come as they were sent, also empty ones and bytes that are no text", () => {
  for (const version of VERSIONS) {
    const will = [
      sectionOf(version, property.long(24, 30), property.user("b", "1"), property.user("a", "2"), property.text(8, "x/y")),
      "w/é",
    ];
    const rest = [...will, sized(raw(0, 255)), "änn", sized(raw(0xff, 0xfe))];
    const { will: found, user, password } = decode(connectPacket(version, { flags: 0xee, rest }), version) as ConnectRequest;
    const isNew = version === 5;
    assert.deepEqual(found, {
      topic: Buffer.from("w/é").toString("latin1"),
      payload: raw(0, 255),
      qos: 1,
      retain: true,
      delaySeconds: isNew ? 30 : 0,
      headers: Buffer.from(isNew ? "NATS/1.0\r\nb: 1\r\na: 2\r\n\r\n" : ""),
      reply: isNew ? "x.y" : "",
    });
    assert.equal(user, "änn");
    assert.deepEqual(password, raw(0xff, 0xfe));
    const empty = decode(connectPacket(version, { flags: 0xc2, rest: ["", ""] }), version) as ConnectRequest;
    assert.equal(empty.user, "");
    assert.deepEqual(empty.password, Buffer.alloc(0));
  }
});

test("MQTT5-3.1.2: a password may come without a user name", () => {
  const { user, password } = decode(connectPacket(5, { flags: 0x42, rest: ["token"] }), 5) as ConnectRequest;
  assert.equal(user, null);
  assert.deepEqual(password, Buffer.from("token"));
});

test("nothing of a CONNECT is a view of something larger: a client may stay for a year", () => {
  const rest = [section(property.user("k", "v")), "w", "bye", "ann", "secret"];
  const { will, password } = decode(connectPacket(5, { flags: 0xc6, rest }), 5) as ConnectRequest;
  assert.ok(will !== null && password !== null);
  for (const bytes of [will.payload, will.headers, password]) assert.equal(bytes.buffer.byteLength, bytes.length);
});

test("MQTT-3.1.2-2: a level that we do not speak is told, whatever comes behind it", () => {
  for (const level of [0, 2, 3, 6, 0x84, 255]) {
    assert.deepEqual(decode(packet(0x10, "MQTT", raw(level, 0xff)), 4), { unacceptable: level });
  }
  assert.deepEqual(decode(packet(0x10, "MQIsdp", raw(4, 2, 0, 0), "c"), 4), { unacceptable: 4 });
});

test("the filters of a SUBSCRIBE come with their options, in order", () => {
  for (const version of [3, 4] as const) {
    assert.deepEqual(decode(packet(0x82, word(7), "a/é", raw(2), "b", raw(0)), version), {
      packetId: 7,
      requests: [
        { filter: Buffer.from("a/é").toString("latin1"), qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0 },
        { filter: "b", qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 },
      ],
      subscriptionId: 0,
    });
  }
  const properties = section(property.user("k", "v"), property.varint(11, 268_435_455));
  assert.deepEqual(decode(packet(0x82, word(7), properties, "a", raw(0x2d), "b", raw(0x12), "$share/g/c", raw(1)), 5), {
    packetId: 7,
    requests: [
      { filter: "a", qos: 1, noLocal: true, retainAsPublished: true, retainHandling: 2 },
      { filter: "b", qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 1 },
      { filter: "$share/g/c", qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 },
    ],
    subscriptionId: 268_435_455,
  });
});

test("the filters of an UNSUBSCRIBE come in order", () => {
  for (const version of VERSIONS) {
    const bytes = packet(0xa2, word(0x1234), sectionOf(version, property.user("k", "v")), "a/#", "b");
    assert.deepEqual(decode(bytes, version), { packetId: 0x1234, filters: ["a/#", "b"] });
  }
});

test("an acknowledgement may be short or say why, with properties or without", () => {
  for (const first of [0x40, 0x50, 0x62, 0x70]) {
    for (const version of VERSIONS) assert.deepEqual(decode(packet(first, word(9)), version), { packetId: 9, reason: 0 });
    const reason = first >= 0x60 ? 0x92 : 0x97;
    for (const rest of [
      raw(reason),
      raw(reason, 0),
      Buffer.concat([raw(reason), section(property.text(31, "full"), property.user("k", "v"))]),
    ])
      assert.deepEqual(decode(packet(first, word(9), rest), 5), { packetId: 9, reason });
  }
});

test("a SUBSCRIBE with as many filters as we take and a hostile property is read in no more than linear time", () => {
  const filters = Array.from({ length: 4096 }, (_, i) => [`plant/${i}/#`, raw(1)]).flat();
  const properties = section(...Array.from({ length: 256 }, () => property.user("__proto__", "x")));
  const started = performance.now();
  const found = decode(packet(0x82, word(1), properties, ...filters), 5) as { requests: readonly unknown[] };
  assert.equal(found.requests.length, 4096);
  assert.ok(performance.now() - started < 2000, "seconds would mean that it is quadratic");
});
