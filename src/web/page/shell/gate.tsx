// Who stands before the page, and what they may see:
//
//   asking ─▶ unclaimed (claim) ─┐
//        ├──▶ signed out (login) ─┼─▶ signed in: the page ──▶ signed out, with the reason ──▶ …
//        └──▶ no answer: try again
//
// Below it there is always a session. When the session ends, the place in the page stays in the address, so a login leads back to it.

import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Button } from "../ui/button.tsx";
import { Notice } from "../ui/notice.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { useText } from "../words/catalogue.ts";
import { api } from "./api.ts";
import { ClaimForm } from "./claim-form.tsx";
import { Doorstep } from "./doorstep.tsx";
import { LoginForm } from "./login-form.tsx";
import { go } from "./route.tsx";
import { type Session, SessionContext } from "./session.tsx";
import { endTrial, trialOf } from "./trial.ts";
import { shellWords } from "./words.ts";

export interface SessionAnswer {
  readonly claimed: boolean;
  readonly session: Session | null;
}

type Standing =
  | { readonly at: "asking" }
  | { readonly at: "unreachable" }
  | { readonly at: "unclaimed" }
  | { readonly at: "out"; readonly wasIn: boolean }
  | { readonly at: "in"; readonly session: Session };

export function Gate({ children }: { readonly children: ComponentChildren }) {
  const text = useText(shellWords);
  const [standing, setStanding] = useState<Standing>({ at: "asking" });

  const kept = useRef({ user: "", memory: new Map<string, unknown>() });

  const ask = useCallback(async () => {
    setStanding({ at: "asking" });
    try {
      setStanding(standingOf(await api.get<SessionAnswer>("/api/session")));
    } catch {
      setStanding({ at: "unreachable" }); // said below, with a button to try again
    }
  }, []);
  useEffect(() => {
    api.onSignedOut(() => setStanding((now) => (now.at === "in" ? { at: "out", wasIn: true } : now)));
    void ask();
  }, [ask]);

  const handle = useMemo(() => {
    if (standing.at !== "in") return undefined;
    const { user, role } = standing.session;
    if (kept.current.user !== user) kept.current = { user, memory: new Map() };
    const signOut = async () => {
      await api.del("/api/session");
      kept.current = { user: "", memory: new Map() };
      setStanding({ at: "out", wasIn: false });
    };
    return { user, role, memory: kept.current.memory, signOut };
  }, [standing]);

  switch (standing.at) {
    case "asking":
      return (
        <Doorstep title="Petiole">
          <Spinner label={text("asking")} />
        </Doorstep>
      );
    case "unreachable":
      return (
        <Doorstep title={text("unreachable")}>
          <Notice tone="bad" isAlert>
            {text("unreachableHint")}
          </Notice>
          <Button kind="primary" icon="refresh" onClick={ask}>
            {text("tryAgain")}
          </Button>
        </Doorstep>
      );
    case "unclaimed":
      return (
        <ClaimForm
          onClaimed={(answer) => {
            go("wizard");
            setStanding(standingOf(answer));
          }}
          onLate={ask}
        />
      );
    case "out":
      return (
        <LoginForm
          wasSignedIn={standing.wasIn}
          trial={trialOf(kept.current.memory)}
          onSignedIn={(answer) => {
            endTrial(kept.current.memory);
            setStanding(standingOf(answer));
          }}
        />
      );
    case "in":
      return <SessionContext.Provider value={handle}>{children}</SessionContext.Provider>;
  }
}

function standingOf({ claimed, session }: SessionAnswer): Standing {
  if (!claimed) return { at: "unclaimed" };
  return session === null ? { at: "out", wasIn: false } : { at: "in", session };
}
