// Is the traffic of other spokes kept away from us, as we asked? Else the interest of the whole fleet lands on this link.

import { DOCTOR_NOT_ISOLATED } from "../errors.ts";
import { type Draft, fine, skipped, warning } from "../finding.ts";
import { eachVisit } from "../hub/each-hub.ts";
import type { HubCase } from "../hub/hub-case.ts";
import type { Visit } from "../hub/leaf-visit.ts";
import type { Scene, Step } from "../scene.ts";

export const isolationStep: Step = {
  id: "isolation",
  title: "isolation from other spokes",
  run: (scene) => eachVisit(scene, (hub, visit) => [judge(hub, visit, scene)]),
};

function judge(hub: HubCase, visit: Visit, { status }: Scene): Draft {
  if (!hub.remote.isolated) return skipped(hub, "not asked for (isolated is false)");
  // The visitor would count the daemon's own link as a neighbour, so where there is one, the daemon decides.
  const link = hub.isLinkedHere ? status?.remotes.find(({ name }) => name === hub.name)?.link : undefined;
  const fault = link === undefined ? visit.isolationFault : link.isolation_fault;
  if (fault === null) return fine(hub, "the hub keeps other spokes' interest away");
  return warning(hub, {
    code: DOCTOR_NOT_ISOLATED,
    cause: `isolation: ${fault}`,
    remedy:
      "update the hub, or set isolate_leafnode_interest there; the link works without, but carries every other spoke's interest",
  });
}
