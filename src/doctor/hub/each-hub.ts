// One step at every hub URL, a few at a time; where the way ended earlier, the step says so instead.

import { type Draft, skipped } from "../finding.ts";
import type { Scene } from "../scene.ts";
import type { HubCase } from "./hub-case.ts";
import type { Visit } from "./leaf-visit.ts";

/** At once: enough for dead addresses not to add up, too few to crowd a slow line. */
const AT_ONCE = 4;

export async function eachHub(scene: Scene, work: (hub: HubCase) => Promise<readonly Draft[]>): Promise<readonly Draft[]> {
  const found = new Map<HubCase, readonly Draft[]>();
  const rest = scene.hubs.values();
  const inTurn = async () => {
    for (const hub of rest) {
      const { endedAt } = hub;
      found.set(hub, endedAt === null ? await work(hub) : [skipped(hub, `not tried, for "${endedAt}" is broken there`, endedAt)]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, inTurn));
  return scene.hubs.flatMap((hub) => found.get(hub) ?? []);
}

/** The same behind the login, with what it saw; whoever leaves the login out of the steps is told so. */
export function eachVisit(
  scene: Scene,
  work: (hub: HubCase, visit: Visit) => readonly Draft[] | Promise<readonly Draft[]>,
): Promise<readonly Draft[]> {
  return eachHub(scene, async (hub) => {
    if (hub.visit === null) return [skipped(hub, 'not tried, for the step "login" was left out', "login")];
    return await work(hub, hub.visit);
  });
}
