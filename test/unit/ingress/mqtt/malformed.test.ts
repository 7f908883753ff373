// Every packet the codec has to refuse, and every property in every packet. The table: test/support/mqtt-malformed.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ProtocolError } from "#base/errors.ts";
import { reasonOf } from "#ingress/mqtt/errors.ts";
import type { MqttVersion } from "#ingress/mqtt/version.ts";
import { connectPacket, long, packet, property, raw, section, sectionOf, word } from "../../../support/mqtt-bytes.ts";
import { decode } from "../../../support/mqtt-codec.ts";
import { MALFORMED_CASES } from "../../../support/mqtt-malformed.ts";

const VERSIONS: readonly MqttVersion[] = [3, 4, 5];
const MALFORMED = 0x81;
const PROTOCOL = 0x82;

for (const each of MALFORMED_CASES) {
  test(`${each.name} is refused with reason 0x${each.reason.toString(16)}`, () => {
    for (const version of each.versions) {
      assert.throws(
        () => decode(each.bytes(version), version),
        (error: unknown) => error instanceof ProtocolError && reasonOf(error) === each.reason,
        `version ${version}`,
      );
    }
  });
}

/** A value of the right type for each property of the standard. */
const PROPERTIES: Readonly<Record<number, Buffer>> = {
  1: property.byte(1, 1),
  2: property.long(2, 60),
  3: property.text(3, "text/plain"),
  8: property.text(8, "answers/here"),
  9: property.text(9, "1234"),
  11: property.varint(11, 7),
  17: property.long(17, 60),
  18: property.text(18, "id"),
  19: property.word(19, 60),
  21: property.text(21, "SCRAM-SHA-1"),
  22: property.text(22, "data"),
  23: property.byte(23, 1),
  24: property.long(24, 60),
  25: property.byte(25, 1),
  26: property.text(26, "info"),
  28: property.text(28, "elsewhere"),
  31: property.text(31, "because"),
  33: property.word(33, 10),
  34: property.word(34, 10),
  35: property.word(35, 1),
  36: property.byte(36, 1),
  37: property.byte(37, 1),
  38: property.user("k", "v"),
  39: property.long(39, 1000),
  40: property.byte(40, 1),
  41: property.byte(41, 1),
  42: property.byte(42, 1),
};

/** Table 2-4 of OASIS MQTT 5.0, for what a client sends: packet, how it is made, the properties it has a place for. */
const PLACES: readonly (readonly [name: string, make: (properties: Buffer) => Buffer, allowed: readonly number[]])[] = [
  ["CONNECT", (it) => packet(0x10, "MQTT", raw(5, 2, 0, 0), it, "c"), [17, 21, 23, 25, 33, 34, 38, 39]],
  ["will", (it) => packet(0x10, "MQTT", raw(5, 6, 0, 0, 0), "c", it, "w", "x"), [1, 2, 3, 8, 9, 24, 38]],
  ["PUBLISH", (it) => packet(0x30, "a", it), [1, 2, 3, 8, 9, 35, 38]],
  ["PUBACK", (it) => packet(0x40, word(1), raw(0), it), [31, 38]],
  ["PUBREC", (it) => packet(0x50, word(1), raw(0), it), [31, 38]],
  ["PUBREL", (it) => packet(0x62, word(1), raw(0), it), [31, 38]],
  ["PUBCOMP", (it) => packet(0x70, word(1), raw(0), it), [31, 38]],
  ["SUBSCRIBE", (it) => packet(0x82, word(1), it, "a", raw(0)), [11, 38]],
  ["UNSUBSCRIBE", (it) => packet(0xa2, word(1), it, "a"), [38]],
  ["DISCONNECT", (it) => packet(0xe0, raw(0), it), [17, 31, 38]],
];

for (const [name, make, allowed] of PLACES) {
  test(`MQTT5-2.2.2: a ${name} takes the properties it has a place for, once, and no others`, () => {
    for (let id = 0; id < 128; id++) {
      const value = PROPERTIES[id] ?? property.byte(id, 1);
      if (!allowed.includes(id)) {
        assert.throws(() => decode(make(section(value)), 5), ProtocolError, `property ${id}`);
        continue;
      }
      assert.doesNotThrow(() => decode(make(section(value)), 5), `property ${id}`);
      const twice = () => decode(make(section(value, value)), 5);
      if (id === 38) assert.doesNotThrow(twice);
      else assert.throws(twice, (error: unknown) => reasonOf(error) === PROTOCOL, `property ${id} twice`);
      for (let cut = 1; cut < value.length; cut++) {
        const short = () => decode(make(section(value.subarray(0, cut))), 5);
        assert.throws(short, (error: unknown) => reasonOf(error) === MALFORMED, `property ${id} cut to ${cut} bytes`);
      }
    }
  });
}

test("MQTT5-3.15.2: an AUTH takes method, data, reason string and user properties", () => {
  const auth = (...properties: readonly Buffer[]) => packet(0xf0, raw(0x18), section(PROPERTIES[21]!, ...properties));
  assert.deepEqual(decode(auth(PROPERTIES[22]!, PROPERTIES[31]!, PROPERTIES[38]!), 5), { reason: 0x18, method: "SCRAM-SHA-1" });
  assert.throws(() => decode(auth(PROPERTIES[17]!), 5), ProtocolError);
  assert.throws(() => decode(packet(0xf1, raw(0x18), section(PROPERTIES[21]!)), 5), { code: "MQTT_MALFORMED" }); // [MQTT5-3.15.1-1]
});

test("every whole packet cut short anywhere is refused or waits for more, in every version", () => {
  for (const version of VERSIONS) {
    const whole = [
      connectPacket(version, { flags: 0xc6, rest: [sectionOf(version, property.user("k", "v")), "w/x", "bye", "ann", "secret"] }),
      packet(0x82, word(1), sectionOf(version, property.varint(11, 300)), "a/#", raw(1), "b", raw(0)),
      packet(0xa2, word(1), sectionOf(version, property.user("k", "v")), "a/#", "b"),
    ];
    for (const bytes of whole) {
      assert.doesNotThrow(() => decode(bytes, version));
      for (let end = 2; end < bytes.length; end++) {
        const body = bytes.subarray(2, end);
        const isWholeAtFilter = bytes[0] !== 0x10 && (end === bytes.length - 4 || end === bytes.length - 3);
        const isWithoutLogin = version === 3 && bytes[0] === 0x10 && (end === bytes.length - 13 || end === bytes.length - 8); // 3.1 allows that
        if (!isWholeAtFilter && !isWithoutLogin)
          assert.throws(() => decode(packet(bytes[0]!, body), version), ProtocolError, `${bytes[0]} cut at ${end}`);
      }
    }
  }
});

test("the session expiry interval of a DISCONNECT is told, and left out stays what it was", () => {
  assert.deepEqual(decode(packet(0xe0), 5), { reason: 0, sessionExpirySeconds: null });
  assert.deepEqual(decode(packet(0xe0, raw(4)), 5), { reason: 4, sessionExpirySeconds: null });
  const bytes = packet(0xe0, raw(0), section(property.long(17, 0xffffffff)));
  assert.deepEqual(decode(bytes, 5), { reason: 0, sessionExpirySeconds: 0xffffffff });
  assert.deepEqual(decode(packet(0xe0, raw(0), Buffer.concat([raw(5), raw(17), long(0)])), 5), {
    reason: 0,
    sessionExpirySeconds: 0,
  });
});
