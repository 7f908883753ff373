// Every packet the codec has to refuse, for each version it exists in, with the reason a 5.0 client is told.
// Source: the normative statements of MQTT 3.1.1 and OASIS MQTT 5.0; what brokers and mqtt-packet are known to let pass.

import type { MqttVersion } from "#ingress/mqtt/version.ts";
import { connectPacket, packet, property, publishPacket, raw, section, sectionOf, sized, word } from "./mqtt-bytes.ts";

const ALL: readonly MqttVersion[] = [3, 4, 5];
const OLD: readonly MqttVersion[] = [3, 4];
const NEW: readonly MqttVersion[] = [5];

const MALFORMED = 0x81;
const PROTOCOL = 0x82;

/** U+D800 as three bytes, an overlong slash, a lone continuation byte, a character cut short, one above U+10FFFF. */
const BAD_TEXTS = [raw(0xed, 0xa0, 0x80), raw(0xc0, 0xaf), raw(0x80), raw(0xe2, 0x82), raw(0xf4, 0x90, 0x80, 0x80)];
const NUL = Buffer.from("a\0b");

export interface MalformedCase {
  readonly name: string;
  readonly versions: readonly MqttVersion[];
  readonly reason: number;
  readonly bytes: (version: MqttVersion) => Buffer;
}

function refused(name: string, versions: readonly MqttVersion[], reason: number, bytes: MalformedCase["bytes"]): MalformedCase {
  return { name, versions, reason, bytes };
}

const CONNECTS: readonly MalformedCase[] = [
  refused("MQTT-3.1.2-1: a CONNECT with another protocol name", ALL, 0x84, (v) => connectPacket(v, { name: "MQTX" })),
  refused("MQTT-3.1.2-3: a CONNECT with the reserved flag", ALL, MALFORMED, (v) => connectPacket(v, { flags: 3 })),
  refused("MQTT-3.1.2-11: a CONNECT with a will QoS and no will", ALL, MALFORMED, (v) => connectPacket(v, { flags: 0x0a })),
  refused("MQTT-3.1.2-15: a CONNECT with will retain and no will", ALL, MALFORMED, (v) => connectPacket(v, { flags: 0x22 })),
  refused("MQTT-3.1.2-14: a CONNECT with a will at QoS 3", ALL, MALFORMED, (v) =>
    connectPacket(v, { flags: 0x1e, rest: [sectionOf(v), "w", "x"] }),
  ),
  refused("MQTT-3.1.2-22: a CONNECT with a password and no user name", OLD, MALFORMED, (v) =>
    connectPacket(v, { flags: 0x42, rest: ["secret"] }),
  ),
  refused("MQTT-3.1.3-1: a CONNECT whose will is missing", ALL, MALFORMED, (v) =>
    connectPacket(v, { flags: 6, rest: [sectionOf(v)] }),
  ),
  refused("MQTT-3.1.3-1: a CONNECT whose user name is missing", [4, 5], MALFORMED, (v) => connectPacket(v, { flags: 0x82 })),
  refused("a CONNECT with bytes after its last field", ALL, MALFORMED, (v) => connectPacket(v, { rest: [raw(0)] })),
  refused("a CONNECT whose client id runs over its end", ALL, MALFORMED, (v) => connectPacket(v, { clientId: raw(0, 9, 0x61) })),
  refused("MQTT-2.2.2-2: a CONNECT with header flags", ALL, MALFORMED, (v) =>
    Buffer.concat([raw(0x11), connectPacket(v).subarray(1)]),
  ),
  ...BAD_TEXTS.map((bad) =>
    refused(`MQTT-1.5.3-1: a CONNECT with the client id ${bad.toString("hex")}`, ALL, MALFORMED, (v) =>
      connectPacket(v, { clientId: sized(bad) }),
    ),
  ),
  refused("MQTT-1.5.3-2: a CONNECT with U+0000 in its client id", ALL, MALFORMED, (v) =>
    connectPacket(v, { clientId: sized(NUL) }),
  ),
  refused("MQTT-1.5.3-2: a CONNECT with U+0000 in its will topic", ALL, MALFORMED, (v) =>
    connectPacket(v, { flags: 6, rest: [sectionOf(v), sized(NUL), "x"] }),
  ),
  refused("MQTT-1.5.3-2: a CONNECT with U+0000 in its user name", ALL, MALFORMED, (v) =>
    connectPacket(v, { flags: 0x82, rest: [sized(NUL)] }),
  ),
  refused("MQTT5-1.5.5-1: a CONNECT whose remaining length is longer than it needs to be", NEW, MALFORMED, (v) => {
    const bytes = connectPacket(v);
    return Buffer.concat([raw(0x10, bytes[1]! | 128, 0), bytes.subarray(2)]);
  }),
  refused("MQTT5-1.5.5-1: a CONNECT whose property length is longer than it needs to be", NEW, MALFORMED, () =>
    packet(0x10, "MQTT", raw(5, 2, 0, 0, 0x80, 0x00), "c"),
  ),
  refused("a CONNECT whose property length takes 5 bytes", NEW, MALFORMED, () =>
    packet(0x10, "MQTT", raw(5, 2, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x01), "c"),
  ),
  refused("a CONNECT whose properties run over its end", NEW, MALFORMED, () => packet(0x10, "MQTT", raw(5, 2, 0, 0, 60), "c")),
  refused("a CONNECT without a property length", NEW, MALFORMED, () => packet(0x10, "MQTT", raw(5, 2, 0, 0))),
  refused("MQTT5-3.1.2: a receive maximum of 0", NEW, PROTOCOL, (v) =>
    connectPacket(v, { properties: [property.word(0x21, 0)] }),
  ),
  refused("MQTT5-3.1.2: a maximum packet size of 0", NEW, PROTOCOL, (v) =>
    connectPacket(v, { properties: [property.long(0x27, 0)] }),
  ),
  refused("MQTT5-3.1.2: request response information 2", NEW, PROTOCOL, (v) =>
    connectPacket(v, { properties: [property.byte(0x19, 2)] }),
  ),
  refused("MQTT5-3.1.2: request problem information 2", NEW, PROTOCOL, (v) =>
    connectPacket(v, { properties: [property.byte(0x17, 2)] }),
  ),
  refused("MQTT5-3.1.2: authentication data without a method", NEW, PROTOCOL, (v) =>
    connectPacket(v, { properties: [property.text(0x16, "data")] }),
  ),
  refused("MQTT5-3.1.3: a payload format of 2 for the will", NEW, PROTOCOL, (v) =>
    connectPacket(v, { flags: 6, rest: [section(property.byte(1, 2)), "w", "x"] }),
  ),
  refused("MQTT5-3.3.2-14: a will with a wildcard in its response topic", NEW, PROTOCOL, (v) =>
    connectPacket(v, { flags: 6, rest: [section(property.text(8, "a/+")), "w", "x"] }),
  ),
];

const PUBLISHES: readonly MalformedCase[] = [
  refused("MQTT-3.3.1-4: a PUBLISH at QoS 3", ALL, MALFORMED, (v) => publishPacket(v, { qos: 3 })),
  refused("MQTT-3.3.1-2: a PUBLISH at QoS 0 with DUP", ALL, MALFORMED, (v) => publishPacket(v, { flags: 8 })),
  refused("MQTT-2.3.1-1: a PUBLISH at QoS 1 with packet identifier 0", ALL, PROTOCOL, (v) =>
    publishPacket(v, { qos: 1, packetId: 0 }),
  ),
  refused("MQTT-2.3.1-1: a PUBLISH at QoS 2 with packet identifier 0", ALL, PROTOCOL, (v) =>
    publishPacket(v, { qos: 2, packetId: 0 }),
  ),
  refused("MQTT-4.7.3-1: a PUBLISH with an empty topic", ALL, PROTOCOL, (v) => publishPacket(v, { topic: "" })),
  refused("MQTT-3.3.2-2: a PUBLISH on a topic with +", ALL, MALFORMED, (v) => publishPacket(v, { topic: "a/+" })),
  refused("MQTT-3.3.2-2: a PUBLISH on a topic with #", ALL, MALFORMED, (v) => publishPacket(v, { topic: "#" })),
  refused("MQTT-1.5.3-2: a PUBLISH on a topic with U+0000", ALL, MALFORMED, (v) => publishPacket(v, { topic: sized(NUL) })),
  ...BAD_TEXTS.map((bad) =>
    refused(`MQTT-1.5.3-1: a PUBLISH on the topic ${bad.toString("hex")}`, ALL, MALFORMED, (v) =>
      publishPacket(v, { topic: sized(bad) }),
    ),
  ),
  refused("a PUBLISH whose topic runs over its end", ALL, MALFORMED, () => packet(0x30, raw(0, 9, 0x61))),
  refused("a PUBLISH of one byte", ALL, MALFORMED, () => packet(0x30, raw(0))),
  refused("an empty PUBLISH", ALL, MALFORMED, () => packet(0x30)),
  refused("a PUBLISH that ends within its packet identifier", ALL, MALFORMED, () => packet(0x32, "a", raw(0))),
  refused("a PUBLISH without a property length", NEW, MALFORMED, () => packet(0x30, "a")),
  refused("a PUBLISH whose properties run over its end", NEW, MALFORMED, () => packet(0x30, "a", raw(9, 1, 0))),
  refused("a PUBLISH whose property runs over the properties", NEW, MALFORMED, () =>
    packet(0x30, "a", raw(2, 0x23, 0), Buffer.from("payload")),
  ),
  refused("MQTT5-3.3.2-8: a PUBLISH with topic alias 0", NEW, 0x94, (v) =>
    publishPacket(v, { properties: [property.word(0x23, 0)] }),
  ),
  refused("MQTT5-3.3.4-6: a PUBLISH from a client with a subscription identifier", NEW, PROTOCOL, (v) =>
    publishPacket(v, { properties: [property.varint(0x0b, 1)] }),
  ),
  refused("MQTT5-3.3.2: a PUBLISH with payload format 2", NEW, PROTOCOL, (v) =>
    publishPacket(v, { properties: [property.byte(1, 2)] }),
  ),
  refused("MQTT5-3.3.2-14: a PUBLISH with # in its response topic", NEW, PROTOCOL, (v) =>
    publishPacket(v, { properties: [property.text(8, "a/#")] }),
  ),
  refused("MQTT5-4.7.3-1: a PUBLISH with an empty response topic", NEW, PROTOCOL, (v) =>
    publishPacket(v, { properties: [property.text(8, "")] }),
  ),
  ...BAD_TEXTS.concat(NUL).flatMap((bad) => [
    refused(`MQTT5-3.3.2-19: a PUBLISH with the content type ${bad.toString("hex")}`, NEW, MALFORMED, (v) =>
      publishPacket(v, { properties: [property.text(3, bad)] }),
    ),
    refused(`MQTT5-3.3.2-13: a PUBLISH with the response topic ${bad.toString("hex")}`, NEW, MALFORMED, (v) =>
      publishPacket(v, { properties: [property.text(8, bad)] }),
    ),
    refused(`MQTT5-1.5.7-1: a PUBLISH with a user property named ${bad.toString("hex")}`, NEW, MALFORMED, (v) =>
      publishPacket(v, { properties: [property.user(bad, "v")] }),
    ),
    refused(`MQTT5-1.5.7-1: a PUBLISH with the user property value ${bad.toString("hex")}`, NEW, MALFORMED, (v) =>
      publishPacket(v, { properties: [property.user("k", bad)] }),
    ),
  ]),
  refused("a PUBLISH with 257 user properties", NEW, 0x97, (v) =>
    publishPacket(v, { properties: Array.from({ length: 257 }, () => property.user("k", "v")) }),
  ),
  refused("a PUBLISH with more than 32 KiB of properties", NEW, 0x97, (v) =>
    publishPacket(v, { properties: [property.user("k", "v".repeat(32_768))] }),
  ),
];

const ACKS: readonly MalformedCase[] = [
  ["PUBACK", 0x40],
  ["PUBREC", 0x50],
  ["PUBREL", 0x62],
  ["PUBCOMP", 0x70],
].flatMap(([name, first]) => acknowledgements(name as string, first as number));

function acknowledgements(name: string, first: number): readonly MalformedCase[] {
  return [
    refused(`MQTT-2.3.1-1: a ${name} with packet identifier 0`, ALL, PROTOCOL, () => packet(first, word(0))),
    refused(`an empty ${name}`, ALL, MALFORMED, () => packet(first)),
    refused(`a ${name} of one byte`, ALL, MALFORMED, () => packet(first, raw(1))),
    refused(`a ${name} with a reason code`, OLD, MALFORMED, () => packet(first, word(1), raw(0))),
    refused(`MQTT-2.2.2-2: a ${name} with other flags`, ALL, MALFORMED, () => packet(first ^ 1, word(1))),
    refused(`a ${name} with a reason that is none of its own`, NEW, PROTOCOL, () => packet(first, word(1), raw(0x95))),
    refused(`a ${name} with a reason of success that is none of its own`, NEW, PROTOCOL, () => packet(first, word(1), raw(1))),
    refused(`a long ${name} with packet identifier 0`, NEW, PROTOCOL, () => packet(first, word(0), raw(0))),
    refused(`a ${name} whose properties run over its end`, NEW, MALFORMED, () => packet(first, word(1), raw(0, 5))),
    refused(`a ${name} with bytes after its properties`, NEW, MALFORMED, () => packet(first, word(1), raw(0, 0, 0))),
    refused(`a ${name} with two reason strings`, NEW, PROTOCOL, () =>
      packet(first, word(1), raw(0), section(property.text(0x1f, "a"), property.text(0x1f, "b"))),
    ),
    refused(`a ${name} with a content type`, NEW, MALFORMED, () =>
      packet(first, word(1), raw(0), section(property.text(3, "a"))),
    ),
  ];
}

const SUBSCRIBES: readonly MalformedCase[] = [
  refused("MQTT-3.8.3-3: a SUBSCRIBE without a filter", ALL, PROTOCOL, (v) => packet(0x82, word(1), sectionOf(v))),
  refused("MQTT-3.10.3-2: an UNSUBSCRIBE without a filter", ALL, PROTOCOL, (v) => packet(0xa2, word(1), sectionOf(v))),
  refused("MQTT-2.3.1-1: a SUBSCRIBE with packet identifier 0", ALL, PROTOCOL, (v) =>
    packet(0x82, word(0), sectionOf(v), "a", raw(0)),
  ),
  refused("MQTT-2.3.1-1: an UNSUBSCRIBE with packet identifier 0", ALL, PROTOCOL, (v) =>
    packet(0xa2, word(0), sectionOf(v), "a"),
  ),
  refused("MQTT-3.8.1-1: a SUBSCRIBE with other flags", ALL, MALFORMED, (v) => packet(0x80, word(1), sectionOf(v), "a", raw(0))),
  refused("MQTT-3.10.1-1: an UNSUBSCRIBE with other flags", ALL, MALFORMED, (v) => packet(0xa0, word(1), sectionOf(v), "a")),
  refused("a SUBSCRIBE without a QoS", ALL, MALFORMED, (v) => packet(0x82, word(1), sectionOf(v), "a")),
  refused("an empty SUBSCRIBE", ALL, MALFORMED, () => packet(0x82)),
  refused("an empty UNSUBSCRIBE", ALL, MALFORMED, () => packet(0xa2)),
  refused("a SUBSCRIBE whose filter runs over its end", ALL, MALFORMED, (v) =>
    packet(0x82, word(1), sectionOf(v), raw(0, 9, 0x61)),
  ),
  refused("an UNSUBSCRIBE whose filter runs over its end", ALL, MALFORMED, (v) =>
    packet(0xa2, word(1), sectionOf(v), raw(0, 9, 0x61)),
  ),
  refused("MQTT-3.8.3-4: a SUBSCRIBE at QoS 3", OLD, MALFORMED, () => packet(0x82, word(1), "a", raw(3))),
  refused("MQTT-3.8.3-4: a SUBSCRIBE with options in 3.x", OLD, MALFORMED, () => packet(0x82, word(1), "a", raw(4))),
  refused("MQTT5-3.8.3: a SUBSCRIBE at QoS 3", NEW, PROTOCOL, () => packet(0x82, word(1), raw(0), "a", raw(3))),
  refused("MQTT5-3.8.3: a SUBSCRIBE with retain handling 3", NEW, PROTOCOL, () => packet(0x82, word(1), raw(0), "a", raw(0x30))),
  refused("MQTT5-3.8.3-5: a SUBSCRIBE with a reserved option", NEW, MALFORMED, () =>
    packet(0x82, word(1), raw(0), "a", raw(0x40)),
  ),
  refused("MQTT5-3.8.3-4: a shared subscription with no local", NEW, PROTOCOL, () =>
    packet(0x82, word(1), raw(0), "$share/g/a", raw(4)),
  ),
  refused("MQTT5-3.8.2: a SUBSCRIBE with subscription identifier 0", NEW, PROTOCOL, () =>
    packet(0x82, word(1), section(property.varint(0x0b, 0)), "a", raw(0)),
  ),
  refused("MQTT5-3.8.2: a SUBSCRIBE with two subscription identifiers", NEW, PROTOCOL, () =>
    packet(0x82, word(1), section(property.varint(0x0b, 1), property.varint(0x0b, 2)), "a", raw(0)),
  ),
  refused("a SUBSCRIBE whose subscription identifier takes 5 bytes", NEW, MALFORMED, () =>
    packet(0x82, word(1), section(raw(0x0b, 0x80, 0x80, 0x80, 0x80, 1)), "a", raw(0)),
  ),
  refused("MQTT5-1.5.5-1: a subscription identifier longer than it needs to be", NEW, MALFORMED, () =>
    packet(0x82, word(1), section(raw(0x0b, 0x81, 0)), "a", raw(0)),
  ),
  refused("a SUBSCRIBE with more filters than we take", ALL, 0x97, (v) =>
    packet(0x82, word(1), sectionOf(v), ...Array.from({ length: 4097 }, () => ["a", raw(0)]).flat()),
  ),
  refused("an UNSUBSCRIBE with more filters than we take", ALL, 0x97, (v) =>
    packet(0xa2, word(1), sectionOf(v), ...new Array<string>(4097).fill("a")),
  ),
  ...BAD_TEXTS.concat(NUL).flatMap((bad) => [
    refused(`MQTT-3.8.3-1: a SUBSCRIBE to ${bad.toString("hex")}`, ALL, MALFORMED, (v) =>
      packet(0x82, word(1), sectionOf(v), "a", raw(0), sized(bad), raw(0)),
    ),
    refused(`MQTT-3.10.3-1: an UNSUBSCRIBE of ${bad.toString("hex")}`, ALL, MALFORMED, (v) =>
      packet(0xa2, word(1), sectionOf(v), "a", sized(bad)),
    ),
  ]),
];

const OTHERS: readonly MalformedCase[] = [
  refused("a PINGREQ with content", ALL, MALFORMED, () => packet(0xc0, raw(0))),
  refused("MQTT-2.2.2-2: a PINGREQ with flags", ALL, MALFORMED, () => packet(0xc1)),
  refused("MQTT-3.14.1-1: a DISCONNECT with flags", ALL, MALFORMED, () => packet(0xe1)),
  refused("a DISCONNECT with content", OLD, MALFORMED, () => packet(0xe0, raw(0))),
  refused("a DISCONNECT with a reason only servers give", NEW, PROTOCOL, () => packet(0xe0, raw(0x8b))),
  refused("a DISCONNECT with a reason nobody gives", NEW, PROTOCOL, () => packet(0xe0, raw(0x42))),
  refused("MQTT5-3.14.2: a DISCONNECT with a server reference", NEW, PROTOCOL, () =>
    packet(0xe0, raw(0), section(property.text(0x1c, "elsewhere"))),
  ),
  refused("a DISCONNECT with bytes after its properties", NEW, MALFORMED, () => packet(0xe0, raw(0, 0, 7))),
  refused("a DISCONNECT with two session expiry intervals", NEW, PROTOCOL, () =>
    packet(0xe0, raw(0), section(property.long(0x11, 1), property.long(0x11, 1))),
  ),
  refused("an empty AUTH", NEW, PROTOCOL, () => packet(0xf0)),
  refused("an AUTH with a reason only servers give", NEW, PROTOCOL, () => packet(0xf0, raw(0))),
  refused("MQTT5-3.15.2: an AUTH without a method", NEW, PROTOCOL, () => packet(0xf0, raw(0x18), section())),
  refused("an AUTH in 3.x", OLD, PROTOCOL, () => packet(0xf0)),
  refused("the reserved packet 0", ALL, PROTOCOL, () => packet(0x00)),
  ...[0x20, 0x90, 0xb0, 0xd0].map((first) =>
    refused(`a packet only servers send, 0x${first.toString(16)}`, ALL, PROTOCOL, () => packet(first, word(1))),
  ),
  refused("a packet longer than the limit, before it is here", ALL, 0x95, () => raw(0x30, 0xff, 0xff, 0xff, 0x7f)),
  refused("MQTT-2.2.3: a remaining length of five bytes", ALL, MALFORMED, () => raw(0x30, 0xff, 0xff, 0xff, 0xff, 0x01)),
];

export const MALFORMED_CASES: readonly MalformedCase[] = [...CONNECTS, ...PUBLISHES, ...ACKS, ...SUBSCRIBES, ...OTHERS];
