// What the MQTT fuzzer feeds: packets a client may send, of one version, strung together and mostly spoilt.

import type { MqttVersion } from "#ingress/mqtt/version.ts";
import {
  connectPacket,
  packet,
  property,
  raw,
  section,
  sectionOf,
  sized,
  varint,
  word,
} from "../../../test/support/mqtt-bytes.ts";
import { mutate } from "./mutate-bytes.ts";

/** Uniform in [0, 1). */
export type Random = () => number;

export interface MqttInput {
  readonly version: MqttVersion;
  readonly bytes: Buffer;
}

/** Longest packet the framer takes. */
export const PACKET_BYTES_MAX = 4096;
/** Once in so many inputs, one that goes to a limit. */
const LARGE_EVERY = 300;

const TEXTS = [
  "a",
  "a/b",
  "",
  "$SYS/x",
  "a.b",
  "my room",
  "é/ü",
  "𝄞",
  "+",
  "a/#",
  "/",
  "a\0",
  "*",
  "$share/g/a",
  "Nats-Msg-Id",
  "a\r\nb",
  "%41",
  "=",
];
const BYTES = [
  raw(),
  raw(0),
  raw(0xff, 0xfe),
  raw(0xed, 0xa0, 0x80),
  raw(0xc0, 0x80),
  raw(0xf4, 0x8f, 0xbf, 0xbf),
  raw(0xc2, 0x85),
  raw(0xef, 0xbb, 0xbf),
];
/** Every byte there is, and a length that base64 has to fill up. */
const LONG = Buffer.from(Array.from({ length: 257 }, (_, i) => i & 255));
const NUMBERS = [0, 1, 2, 3, 127, 128, 255, 256, 16_383, 16_384, 65_535] as const;

export function nextMqttInput(random: Random): MqttInput {
  const version = pick(random, [3, 4, 5, 5] as const);
  if (random() < 1 / LARGE_EVERY) return { version, bytes: large(version, random) };
  const count = 1 + Math.floor(random() * 3);
  const bytes = Buffer.concat(Array.from({ length: count }, () => onePacket(version, random)));
  if (random() < 0.35) return { version, bytes };
  return { version, bytes: mutate(bytes, onePacket(version, random), random) };
}

function onePacket(version: MqttVersion, random: Random): Buffer {
  switch (Math.floor(random() * 10)) {
    case 0:
      return aConnect(version, random);
    case 1:
      return packet(0x82, anId(random), properties(version, random, [11, 38]), ...filters(version, random));
    case 2:
      return packet(0xa2, anId(random), properties(version, random, [38]), ...some(random, () => aText(random)));
    case 3:
      return anAck(version, random);
    case 4:
      return aFarewell(version, random);
    case 5:
      return packet(random() < 0.9 ? 0xc0 : Math.floor(random() * 256), ...(random() < 0.9 ? [] : [word(1)]));
    default:
      return aPublish(version, random);
  }
}

function aConnect(version: MqttVersion, random: Random): Buffer {
  const hasWill = random() < 0.4;
  const hasUser = random() < 0.5;
  const hasPassword = random() < 0.4;
  const will = hasWill ? [properties(version, random, [1, 2, 3, 8, 9, 24, 38]), aText(random), sized(pick(random, BYTES))] : [];
  const rest = [...will, ...(hasUser ? [aText(random)] : []), ...(hasPassword ? [sized(pick(random, BYTES))] : [])];
  const willFlags = hasWill ? 4 | (Math.floor(random() * 4) << 3) | (random() < 0.3 ? 32 : 0) : 0;
  const flags = (random() < 0.7 ? 2 : 0) | willFlags | (hasUser ? 128 : 0) | (hasPassword ? 64 : 0);
  const list = version === 5 ? someProperties(random, [17, 21, 22, 23, 25, 33, 34, 38, 39]) : [];
  return connectPacket(version, { flags, properties: list, keepAlive: pick(random, NUMBERS), clientId: aText(random), rest });
}

function aPublish(version: MqttVersion, random: Random): Buffer {
  const qos = pick(random, [0, 0, 1, 2]);
  const first = 0x30 | (qos << 1) | (random() < 0.2 ? 1 : 0) | (random() < 0.1 ? 8 : 0);
  const payload = Buffer.alloc(Math.floor(random() * 20), "payload");
  return packet(
    first,
    aText(random),
    qos === 0 ? raw() : anId(random),
    properties(version, random, [1, 2, 3, 8, 9, 35, 38, 38]),
    payload,
  );
}

function anAck(version: MqttVersion, random: Random): Buffer {
  const first = pick(random, [0x40, 0x50, 0x62, 0x70]);
  if (version !== 5 || random() < 0.5) return packet(first, anId(random));
  const reason = raw(pick(random, [0, 0x10, 0x80, 0x92, 0x97, Math.floor(random() * 256)]));
  return packet(first, anId(random), reason, ...(random() < 0.5 ? [] : [properties(5, random, [31, 38])]));
}

function aFarewell(version: MqttVersion, random: Random): Buffer {
  if (version !== 5 || random() < 0.3) return packet(0xe0);
  if (random() < 0.3) return packet(0xf0, raw(pick(random, [0x18, 0x19, 0])), properties(5, random, [21, 22, 31, 38]));
  return packet(0xe0, raw(pick(random, [0, 4, 0x81, 0x8b])), ...(random() < 0.5 ? [] : [properties(5, random, [17, 31, 38])]));
}

function filters(version: MqttVersion, random: Random): readonly (Buffer | string)[] {
  return some(random, () => [aText(random), raw(version === 5 ? Math.floor(random() * 64) : Math.floor(random() * 3))]).flat();
}

function properties(version: MqttVersion, random: Random, ids: readonly number[]): Buffer {
  return version === 5 ? section(...someProperties(random, ids)) : sectionOf(version);
}

function someProperties(random: Random, ids: readonly number[]): readonly Buffer[] {
  if (random() < 0.3) return [];
  return Array.from({ length: Math.floor(random() * 5) }, () =>
    aProperty(random, random() < 0.97 ? pick(random, ids) : Math.floor(random() * 44)),
  );
}

function aProperty(random: Random, id: number): Buffer {
  switch (id) {
    case 1:
    case 23:
    case 25:
      return property.byte(id, Math.floor(random() * 2.1));
    case 2:
    case 17:
    case 24:
    case 39:
      return property.long(id, pick(random, NUMBERS) * (random() < 0.5 ? 1 : 65_537));
    case 33:
    case 34:
    case 35:
      return property.word(id, pick(random, NUMBERS));
    case 11:
      return Buffer.concat([raw(11), varint(pick(random, NUMBERS) * 2)]);
    case 9:
    case 22:
      return property.text(id, random() < 0.5 ? pick(random, BYTES) : LONG.subarray(Math.floor(random() * LONG.length)));
    case 38:
      return property.user(aTextBytes(random), aTextBytes(random));
    default:
      return property.text(id, aTextBytes(random));
  }
}

/** A length that lies, a packet at the limit, many properties. */
function large(version: MqttVersion, random: Random): Buffer {
  const near = (limit: number) => limit - 4 + Math.floor(random() * 8);
  switch (Math.floor(random() * 4)) {
    case 0:
      return Buffer.concat([raw(0x30), varint(near(PACKET_BYTES_MAX)), Buffer.alloc(Math.floor(random() * 300), 0x61)]);
    case 1:
      return packet(0x30, "a", sectionOf(version), Buffer.alloc(near(PACKET_BYTES_MAX - 8), "x"));
    case 2: {
      const many = Array.from({ length: near(256) }, (_, i) => property.user(`k${i % 7}`, ""));
      return packet(0x30, "a", sectionOf(version, ...many));
    }
    default:
      return packet(0x82, word(1), sectionOf(version), ...Array.from({ length: near(200) }, (_, i) => [`a/${i}`, raw(1)]).flat());
  }
}

function some<T>(random: Random, make: () => T): readonly T[] {
  return Array.from({ length: random() < 0.05 ? 0 : 1 + Math.floor(random() * 3) }, make);
}

function aText(random: Random): Buffer {
  return sized(aTextBytes(random));
}

function aTextBytes(random: Random): Buffer {
  return random() < 0.9 ? Buffer.from(pick(random, TEXTS.slice(0, random() < 0.8 ? 8 : TEXTS.length))) : pick(random, BYTES);
}

function anId(random: Random): Buffer {
  return word(random() < 0.97 ? 1 + Math.floor(random() * 65_535) : 0);
}

function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)]!;
}
