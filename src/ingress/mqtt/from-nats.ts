// With which QoS a message goes on that states none: one that no MQTT client published (`mqtt.from_nats`, first match wins).

import { subjectMatches } from "#core/subject.ts";
import type { MqttOptions } from "./options.ts";

/** Of a message for which there is no rule: not lost between us and a subscriber who asked for that. */
const QOS_DEFAULT = 1;
/** Subjects remembered; all are forgotten when it overflows. */
const SUBJECTS_MAX = 4096;

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
