// Somebody is at the page: whoever types, taps or scrolls keeps the login alive, though reading and filling in a form ask nothing of the
// device. The answer says whether the login still is theirs: another tab may have brought another one. What the page asks for by itself does not (`isUnattended` in api.ts), or a phone left lying would stay logged in for hours.

import { useContext, useEffect } from "preact/hooks";
import { CoveredContext } from "../ui/covered.ts";
import { api } from "./api.ts";
import { type SessionAnswer, useSession } from "./session.tsx";

const SIGNS = ["pointerdown", "keydown", "wheel", "touchmove"] as const;
/** Far below the shortest idle time that can be set. */
const TELL_EVERY_MS = 30_000;

export function Attendance(): null {
  const { meet } = useSession();
  const isCovered = useContext(CoveredContext);
  useEffect(() => {
    if (isCovered) return undefined; // who types is at the login
    const ending = new AbortController();
    let toldAt = Date.now();
    const onSign = () => {
      const now = Date.now();
      if (now - toldAt < TELL_EVERY_MS) return;
      toldAt = now;
      api.get<SessionAnswer>("/api/session", { signal: ending.signal }).then(
        (answer) => ending.signal.aborted || meet(answer),
        () => undefined, // the banner says it already
      );
    };
    for (const sign of SIGNS) addEventListener(sign, onSign, { passive: true });
    return () => {
      ending.abort();
      for (const sign of SIGNS) removeEventListener(sign, onSign);
    };
  }, [meet, isCovered]);
  return null;
}
