// The board's supervisor as the page sees it. Asked when somebody looks, and never more often than every few seconds.

import type { Clock, Millis } from "#base/clock.ts";
import { PetioleError } from "#base/errors.ts";
import type { Supervisor } from "#supervisor/supervisor.ts";
import type { SupervisorDesk, SupervisorView } from "#web/server/desks.ts";

/** Pages that are open at once share an answer for so long. */
const FRESH_MS: Millis = 5_000;

export function createSupervisorDesk(supervisor: Supervisor, clock: Clock): SupervisorDesk {
  let last: { readonly at: Millis; readonly view: Promise<SupervisorView> } | undefined;
  const never = new AbortController().signal; // each request has a time limit of its own
  const ask = async (): Promise<SupervisorView> => {
    try {
      const { status, commit, isUpdatePending, isUpdateDownloaded, downloadPercent } = await supervisor.state(never);
      return {
        status,
        commit,
        update_pending: isUpdatePending,
        update_downloaded: isUpdateDownloaded,
        download_percent: downloadPercent,
        fault: null,
      };
    } catch (error) {
      if (!(error instanceof PetioleError)) throw error;
      const nothing = { commit: null, update_pending: false, update_downloaded: false, download_percent: null };
      return { status: "unknown", ...nothing, fault: error.message };
    }
  };
  return {
    state() {
      const now = clock.now();
      if (last === undefined || now - last.at > FRESH_MS) last = { at: now, view: ask() };
      return last.view;
    },
    reboot: () => supervisor.reboot(never),
    shutdown: () => supervisor.shutdown(never),
    rename: (hostname) => supervisor.rename(hostname, never),
  };
}
