// Are there settings to run by, and a hub in them?

import { formatFault } from "#base/fault.ts";
import { DOCTOR_NO_HUB, DOCTOR_SETTINGS } from "../errors.ts";
import { broken, type Draft, fine, warning } from "../finding.ts";
import { HUBS_MAX } from "../hub/hub-case.ts";
import type { Scene, Step } from "../scene.ts";

/** Faults told one by one; "petiole check" shows all. */
const FAULTS_SHOWN_MAX = 3;

export const settingsStep: Step = {
  id: "settings",
  title: "the settings",
  async run({ settings }: Scene): Promise<readonly Draft[]> {
    if (settings instanceof Error) throw settings;
    const { file, isThere, faults, config } = settings;
    const about = { target: file, ref: null };
    if (faults.length > 0) {
      const shown = faults.slice(0, FAULTS_SHOWN_MAX).map(formatFault).join(" | ");
      const more = faults.length > FAULTS_SHOWN_MAX ? ` | and ${faults.length - FAULTS_SHOWN_MAX} more` : "";
      return [
        broken(
          about,
          {
            code: DOCTOR_SETTINGS,
            cause: `the settings have ${faults.length} ${faults.length === 1 ? "fault" : "faults"}: ${shown}${more}`,
            remedy: '"petiole check" lists every fault with its remedy; mend them and start the daemon again',
          },
          { faults: faults.length },
        ),
      ];
    }
    const urls = config?.leafnodes.remotes.reduce((sum, remote) => sum + remote.urls.length, 0) ?? 0;
    if (urls === 0)
      return [
        warning(about, {
          code: DOCTOR_NO_HUB,
          cause: isThere ? "the settings name no hub" : "there are no settings yet: the defaults count, and they name no hub",
          remedy: "write the hub's URL under leafnodes.remotes, or set it up on the page; until then everything is kept here",
        }),
      ];
    const rest = urls > HUBS_MAX ? `, of which the first ${HUBS_MAX} are looked at` : "";
    return [fine(about, `the settings are in order and name ${urls} hub ${urls === 1 ? "URL" : "URLs"}${rest}`, { urls })];
  },
};
