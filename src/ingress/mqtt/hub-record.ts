// A retained message as nats-server keeps it in the stream `$MQTT_rmsgs`.
//
//   2.10: JSON {"origin","subject","topic","msg": base64,"flags","source"}     all versions up to 2.15 read it, so it is what we write
//   2.15: headers Nmqtt-RTopic, Nmqtt-RFlags (hex), Nmqtt-ROrigin, Nmqtt-RSource, and the payload as it is
//
// Flags are those of the PUBLISH: 1 retain, 2 and 4 the QoS. Readers take the topic from the subject. The user is not told: the hub would
// ask its own users for one of that name. An empty message clears; 2.10 does not know that and has to be helped (hub-retained.ts).
// Seen on 2.10.27 and 2.15.1. Tests: test/conformance/mqtt/hub.test.ts

import { subjectToTopic } from "./topic.ts";

export interface HubRetainedMessage {
  readonly qos: 0 | 1 | 2;
  /** Who wrote it. */
  readonly origin: string;
  readonly payload: Buffer;
}

/** `subject`: of the message, latin1 form. */
export function encodeHubRecord(
  { subject, qos, payload }: { readonly subject: string; readonly qos: number; readonly payload: Buffer },
  origin: string,
): Buffer {
  const named = Buffer.from(subject, "latin1").toString("utf8");
  const topic = Buffer.from(subjectToTopic(subject), "latin1").toString("utf8");
  return Buffer.from(
    JSON.stringify({ origin, subject: named, topic, msg: payload.toString("base64"), flags: (qos << 1) | 1, source: "" }),
    "utf8",
  );
}

/** undefined: it is neither. The payload is a copy. */
export function decodeHubRecord(headers: Buffer, payload: Buffer): HubRetainedMessage | undefined {
  const flags = headerOf(headers, "Nmqtt-RFlags");
  if (flags !== "") {
    const number = Number.parseInt(flags.replace(/^-/, ""), 16);
    const origin = headerOf(headers, "Nmqtt-ROrigin");
    return Number.isFinite(number) ? { qos: qosIn(number), origin, payload: Buffer.from(payload) } : undefined;
  }
  try {
    const { origin, msg, flags: number } = (JSON.parse(payload.toString("utf8")) ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof number !== "number") return undefined;
    const text = typeof msg === "string" ? msg : ""; // null where it is empty
    return { qos: qosIn(number), origin: typeof origin === "string" ? origin : "", payload: Buffer.from(text, "base64") };
  } catch {
    return undefined; // not JSON: somebody else's
  }
}

function qosIn(flags: number): 0 | 1 | 2 {
  return Math.min(2, (flags >> 1) & 3) as 0 | 1 | 2;
}

/** The first value of a header, exactly as it is spelt; "": there is none. */
function headerOf(headers: Buffer, name: string): string {
  const text = headers.latin1Slice(0, headers.length);
  const at = text.indexOf(`\r\n${name}:`);
  if (at < 0) return "";
  const start = at + name.length + 3;
  return text.slice(start, text.indexOf("\r\n", start)).trim();
}
