// With which QoS a message goes on that states none: one that no MQTT client published (`mqtt.from_nats`, first match wins).

import { subjectMatches } from "#core/subject.ts";
import type { MqttOptions } from "./options.ts";

/** Of a message for which there is no rule: not lost between us and a subscriber who asked for that. */
const QOS_DEFAULT = 1;
/** Subjects remembered; all are forgotten when it overflows. */
const SUBJECTS_MAX = 4096;

/**
 * The QoS that a message of a hub that speaks MQTT had there (`Nmqtt-Pub`, spec/mqtt-mapping.md §2.2); -1: it says none. What stands behind
 * the digit is not ours to read.
 */
export function qosOfHub(headers: Buffer): -1 | 0 | 1 | 2 {
  if (headers.length === 0) return -1;
  const at = headers.indexOf("\r\nNmqtt-Pub:", 0, "latin1");
  if (at < 0) return -1;
  let digit = at + 12;
  while (headers[digit] === 0x20) digit += 1;
  const qos = headers[digit]! - 0x30;
  return qos === 0 || qos === 1 || qos === 2 ? qos : -1;
}

export function fromNats(rules: MqttOptions["fromNats"]): (subject: string) => 0 | 1 | 2 {
  if (rules.length === 0) return () => QOS_DEFAULT;
  const known = new Map<string, 0 | 1 | 2>();
  return (subject) => {
    const remembered = known.get(subject);
    if (remembered !== undefined) return remembered;
    const rule = rules.find(({ subjects }) => subjects.some((filter) => subjectMatches(filter, subject)));
    const qos = rule?.qos ?? QOS_DEFAULT;
    if (known.size >= SUBJECTS_MAX) known.clear();
    known.set(subject, qos);
    return qos;
  };
}
