// The MQTT 3.1.1 packets of the load, encoded before the clock runs. Every PUBLISH of a publisher has the same length, so a
// run of them is a slice of one block:
//
//   │ header, length │ topic │ packet id (QoS 1) │ payload: {"at":"<16 hex digits>",… │ next PUBLISH …

import { PAYLOAD_BYTES } from "./options.ts";

const PUBLISH = 0x30;
const CLEAN_SESSION_WITH_USER = 0xc2;
/** A client alone in its second is not interesting: no keep-alive. */
const KEEP_ALIVE_OFF = 0;
/** Where in the payload the send time stands: 16 hexadecimal digits of nanoseconds. */
export const STAMP_AT = '{"at":"'.length;
export const STAMP_CHARS = 16;
/** What stands there until it is sent: a clock like a device's, so that no reading is another's copy. */
const FIRST_STAMP = 1e15;
const STAMP_STEP = 12_345;

export interface Block {
  readonly bytes: Buffer;
  readonly packetBytes: number;
  readonly packets: number;
  /** Of the first packet's send time; those of the others follow at `packetBytes` each. */
  readonly stampAt: number;
}

export function connectPacket(clientId: string, user: string, password: string): Buffer {
  const head = Buffer.from([0, 4, 0x4d, 0x51, 0x54, 0x54, 4, CLEAN_SESSION_WITH_USER, KEEP_ALIVE_OFF, KEEP_ALIVE_OFF]);
  const body = Buffer.concat([head, text(clientId), text(user), text(password)]);
  return Buffer.concat([Buffer.from([0x10]), remainingLength(body.length), body]);
}

/** `packets` publishes of one device; at QoS 1 with the packet ids 1 … `packets`. */
export function publishBlock(device: number, qos: 0 | 1, packets: number): Block {
  const head = Buffer.concat([text(topicOf(device)), Buffer.alloc(qos === 0 ? 0 : 2)]);
  const prefix = Buffer.concat([Buffer.from([PUBLISH | (qos << 1)]), remainingLength(head.length + PAYLOAD_BYTES), head]);
  const packetBytes = prefix.length + PAYLOAD_BYTES;
  const bytes = Buffer.alloc(packetBytes * packets);
  for (let i = 0; i < packets; i++) {
    const at = i * packetBytes;
    prefix.copy(bytes, at);
    if (qos === 1) bytes.writeUInt16BE(i + 1, at + prefix.length - 2);
    bytes.write(payload(device, i), at + prefix.length, "latin1");
  }
  return { bytes, packetBytes, packets, stampAt: prefix.length + STAMP_AT };
}

export function topicOf(device: number): string {
  return `sensors/device-${device}/reading`;
}

/** A reading as devices send them, of exactly PAYLOAD_BYTES. */
function payload(device: number, i: number): string {
  const reading = {
    at: (FIRST_STAMP + i * STAMP_STEP + device).toString(16).padStart(STAMP_CHARS, "0"),
    n: 100_000 + i,
    temp: Number((21 + 3 * Math.sin((i + device) / 40)).toFixed(2)),
    hum: Number((45 + 5 * Math.cos(i / 60)).toFixed(2)),
    volt: Number((3.3 + ((i * 7) % 11) / 1000).toFixed(3)),
    rssi: -60 - ((i * 13) % 17),
    state: "",
  };
  reading.state = "ok".padEnd(PAYLOAD_BYTES - JSON.stringify(reading).length, ".");
  return JSON.stringify(reading);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

function remainingLength(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left >>= 7) {
    if (left < 128) return Buffer.from([...bytes, left]);
    bytes.push((left & 127) | 128);
  }
}
