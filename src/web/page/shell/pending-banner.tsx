// Settings on trial: the countdown, and the two ways out of it.

import { useEffect, useState } from "preact/hooks";
import { Button } from "../ui/button.tsx";
import { Notice } from "../ui/notice.tsx";
import { useToast } from "../ui/toast.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { api } from "./api.ts";
import { type Pending, usePending } from "./pending.tsx";
import { refusalWords } from "./refusal-words.ts";
import { hasRole, useSession } from "./session.tsx";
import { shellWords } from "./words.ts";

export function PendingBanner() {
  const { pending, refresh } = usePending();
  return pending === undefined ? null : <Countdown pending={pending} refresh={refresh} />;
}

interface CountdownProps {
  readonly pending: Pending;
  readonly refresh: () => Promise<void>;
}

function Countdown({ pending, refresh }: CountdownProps) {
  const text = useText(shellWords);
  const format = useFormat();
  const toast = useToast();
  const { role } = useSession();
  const [now, setNow] = useState(Date.now());
  const [busy, setBusy] = useState("");
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const run = async (path: string, done: keyof typeof shellWords) => {
    setBusy(path);
    try {
      await api.post(path);
      toast(text(done));
    } catch (error) {
      toast(refusalWords(error, text), "bad");
    }
    setBusy("");
    await refresh();
  };
  const { isInForce, revertsAt } = pending;
  const isOwner = hasRole(role, "owner");
  const time = format.duration(Math.max(0, revertsAt - now));
  return (
    <div class="banner">
      <Notice
        tone="look"
        title={
          // Read out once, not every second.
          <span role="timer" aria-live="off">
            {text(isInForce ? "pendingForce" : "pendingRestart", { time })}
          </span>
        }
        actions={
          <>
            {isOwner && (
              <Button busy={busy === "/api/settings/revert"} onClick={() => run("/api/settings/revert", "takenBack")}>
                {text("takeBack")}
              </Button>
            )}
            {isInForce
              ? isOwner && (
                  <Button
                    kind="primary"
                    busy={busy === "/api/settings/confirm"}
                    onClick={() => run("/api/settings/confirm", "kept")}
                  >
                    {text("keepChange")}
                  </Button>
                )
              : hasRole(role, "technician") && (
                  <Button kind="primary" busy={busy === "/api/restart"} onClick={() => run("/api/restart", "restarting")}>
                    {text("restartNow")}
                  </Button>
                )}
          </>
        }
      />
    </div>
  );
}
