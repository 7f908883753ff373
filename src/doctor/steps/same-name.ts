// Does another device use our server_name? Then each throws the other out, for ever.
//
// Only the daemon's own link can notice, and trying it under the daemon's name would throw somebody out. So it is the daemon that is asked.

import { parseTimestamp } from "#base/clock.ts";
import type { LinkReport } from "#status/report.ts";
import { LEAF_DUPLICATE } from "#uplink/errors.ts";
import { rejectionOf } from "#uplink/rejection.ts";
import { apart } from "../fault-words.ts";
import { broken, DEVICE, type Draft, fine, skipped } from "../finding.ts";
import type { Scene, Step } from "../scene.ts";

/** What stays of it in the memory of a URL when the link is back for a while (rejection.ts). */
const SIGN = apart(rejectionOf("", "Duplicate Remote LeafNode Connection").error.message).remedy;

const SETTLED_MS = 120_000;

export const sameNameStep: Step = {
  id: "same_name",
  title: "whether the name is used twice",
  async run({ status, hubs }: Scene): Promise<readonly Draft[]> {
    if (hubs.length === 0) return [skipped(DEVICE, "no hub, no name to be used twice")];
    if (status === undefined) return [skipped(DEVICE, "only the running daemon can notice; start it")];
    const drafts: Draft[] = [];
    for (const { name, link } of status.remotes) {
      const about = { target: name, ref: name };
      const told = [link.last_error?.message ?? "", ...link.urls.map(({ last_error }) => last_error ?? "")];
      if (hasSettled(link, status.now)) continue;
      const sentence = told.find((each) => each.includes(SIGN));
      if (sentence === undefined && link.last_error?.code !== LEAF_DUPLICATE) continue;
      drafts.push(
        broken(
          about,
          { code: LEAF_DUPLICATE, ...apart(sentence ?? link.last_error!.message) },
          { server_name: status.server_name },
        ),
      );
    }
    return drafts.length > 0 ? drafts : [fine(DEVICE, `no hub says that ${status.server_name} is linked twice`)];
  },
};

/** Two devices of one name throw each other out within half a minute (link-state.ts): a link that holds is past that. */
function hasSettled({ state, since }: LinkReport, now: string): boolean {
  return state === "ready" && (parseTimestamp(now) ?? 0) - (parseTimestamp(since) ?? 0) > SETTLED_MS;
}
