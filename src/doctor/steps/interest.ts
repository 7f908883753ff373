// Does anybody at the hub listen to what the outbox keeps for it? A wrong account shows here: the login is good, and nobody is there.

import { DOCTOR_NOBODY_LISTENS } from "../errors.ts";
import { brief, type Draft, fine, warning } from "../finding.ts";
import { isWanted } from "../hub/coverage.ts";
import { eachVisit } from "../hub/each-hub.ts";
import type { HubCase } from "../hub/hub-case.ts";
import type { Visit } from "../hub/leaf-visit.ts";
import { ruledSubjects } from "../hub/rules-of.ts";
import type { Scene, Step } from "../scene.ts";
import { listed } from "./permissions.ts";

export const interestStep: Step = {
  id: "interest",
  title: "who listens at the hubs",
  run: (scene) => eachVisit(scene, (hub, visit) => [judge(hub, visit, scene)]),
};

function judge(hub: HubCase, visit: Visit, { config }: Scene): Draft {
  const { filters, info } = visit;
  const subjects = ruledSubjects(config!).filter(({ rule }) => rule.keep !== "never");
  const unheard = subjects.filter(({ filter }) => !isWanted(filter, filters));
  const facts = { hub_interest: filters.size, account: info.remoteAccount === null ? null : brief(info.remoteAccount) };
  if (unheard.length === 0) return fine(hub, "somebody at the hub listens to every subject of the outbox rules", facts);
  const fate = unheard.every(({ rule }) => rule.noInterest === "drop")
    ? "what comes on it is dropped at once (no_interest)"
    : "what comes on it waits here";
  const account = info.remoteAccount === null ? "our account" : `account ${brief(info.remoteAccount)}`;
  return warning(
    hub,
    {
      code: DOCTOR_NOBODY_LISTENS,
      cause: `nobody in ${account} at hub ${hub.target} listens to ${listed(unheard)}: ${fate}`,
      remedy: "start the application or the stream that wants it, and check that our user belongs to the same account as they do",
    },
    facts,
  );
}
