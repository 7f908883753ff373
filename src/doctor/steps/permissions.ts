// May our user send what the outbox rules keep for the hub? The hub's INFO carries its lists; on hubs that enforce them a message outside
// ends the link, on others it stays here.

import type { Config } from "#config/config.ts";
import { displaySubject } from "#core/subject.ts";
import { DOCTOR_NO_STREAM, DOCTOR_SUBJECT_DENIED } from "../errors.ts";
import { brief, broken, type Draft, fine, warning } from "../finding.ts";
import { isWanted, permitted } from "../hub/coverage.ts";
import { eachVisit } from "../hub/each-hub.ts";
import type { HubCase } from "../hub/hub-case.ts";
import type { Visit } from "../hub/leaf-visit.ts";
import { type RuledSubject, ruledSubjects } from "../hub/rules-of.ts";
import type { Step } from "../scene.ts";

const SHOWN_MAX = 5;
/** What a nats-server with an mqtt block stores (spec/mqtt-mapping.md §2.1). */
const HUB_MQTT: string = "$MQTT.msgs.>";
const HUB_MQTT_RETAINED: string = "$MQTT.rmsgs.>";
const REMEDY = "the hub's permissions for this user forbid it: widen them at the hub or narrow the subjects here";

export const permissionsStep: Step = {
  id: "permissions",
  title: "what the hubs let us send",
  run: (scene) =>
    eachVisit(scene, (hub, visit) => [judge(hub, visit, ruledSubjects(scene.config!)), ...hubMqtt(hub, visit, scene.config!)]),
};

/** With `mqtt.hub_mqtt`: do the hub's own MQTT clients get what they are sent? */
function hubMqtt(hub: HubCase, { info, filters }: Visit, { mqtt }: Config): readonly Draft[] {
  if (mqtt?.hubMqtt == null) return [];
  const wanted = mqtt.hubMqtt.retained === "none" ? [HUB_MQTT] : [HUB_MQTT, HUB_MQTT_RETAINED];
  const denied = wanted.filter((filter) => permitted(filter, info.exportPermissions) !== "all");
  const nobody = `MQTT clients at hub ${hub.target} get nothing of our messages of QoS 1 and 2`;
  if (denied.length > 0)
    return [
      warning(hub, {
        code: DOCTOR_SUBJECT_DENIED,
        cause: `${denied.includes(HUB_MQTT) ? nobody : `our retained messages are not retained at hub ${hub.target}`}: it does not let us send all of ${denied.join(" and ")} (mqtt.hub_mqtt)`,
        remedy: `let this device's user at the hub publish to ${denied.join(" and ")}`,
      }),
    ];
  if (isWanted(HUB_MQTT, filters)) return [fine(hub, "the hub takes what its own MQTT clients need of our messages")];
  return [
    warning(hub, {
      code: DOCTOR_NO_STREAM,
      cause: `${nobody}: it stores nothing of ${HUB_MQTT} in our account (mqtt.hub_mqtt)`,
      remedy:
        "give the hub an mqtt block and the account JetStream; if it has both, no MQTT client has been there yet; if it is to have none, set mqtt.hub_mqtt to null",
    }),
  ];
}

function judge(hub: HubCase, visit: Visit, subjects: readonly RuledSubject[]): Draft {
  const { exportPermissions: list, importPermissions, remoteAccount } = visit.info;
  const facts = {
    may_send: (list?.allow ?? []).slice(0, SHOWN_MAX).map(displaySubject),
    may_not_send: (list?.deny ?? []).slice(0, SHOWN_MAX).map(displaySubject),
    may_receive: (importPermissions?.allow ?? []).slice(0, SHOWN_MAX).map(displaySubject),
  };
  const denied = subjects.filter(({ filter }) => permitted(filter, list) === "none");
  // A rule for ">" is for whatever comes; that not all of it may go up is what lists are for.
  const partly = subjects.filter(({ filter }) => filter !== ">" && permitted(filter, list) === "some");
  const where = remoteAccount === null ? "" : ` in its account ${brief(remoteAccount)}`;
  if (denied.length > 0)
    return broken(
      hub,
      { code: DOCTOR_SUBJECT_DENIED, cause: `hub ${hub.target} does not let us send ${listed(denied)}${where}`, remedy: REMEDY },
      facts,
    );
  if (partly.length > 0)
    return warning(
      hub,
      {
        code: DOCTOR_SUBJECT_DENIED,
        cause: `hub ${hub.target} lets us send only a part of ${listed(partly)}${where}`,
        remedy: REMEDY,
      },
      facts,
    );
  return fine(hub, list === null ? "the hub lets us send everything" : "the hub lets us send what the outbox rules name", facts);
}

/** `sensors.> (outbox.rules[1])`, the first few. */
export function listed(subjects: readonly RuledSubject[]): string {
  const shown = subjects.slice(0, SHOWN_MAX).map(({ filter, place }) => `${displaySubject(filter)} (${place})`);
  return `${shown.join(", ")}${subjects.length > SHOWN_MAX ? ` and ${subjects.length - SHOWN_MAX} more` : ""}`;
}
