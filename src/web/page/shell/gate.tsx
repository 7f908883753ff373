// Who stands before the page, and what they may see:
//
//   asking ─▶ unclaimed (claim) ─┐
//        ├──▶ signed out (login) ─┼─▶ signed in: the page ──▶ signed out, with the reason ──▶ …
//        └──▶ no answer: try again
//
// A session that ends under somebody's hands (idle for too long, a device that was restarted) takes nothing away: the page stays as it
// was behind the login, with all that was typed, and the same user goes on with it. It is gone with a log-out, for anybody else, and after
// an hour in which nobody came back: passwords may have been typed into it.

import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";
import { Button } from "../ui/button.tsx";
import { CoveredContext } from "../ui/covered.ts";
import { Notice } from "../ui/notice.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { useText } from "../words/catalogue.ts";
import { ApiError, api } from "./api.ts";
import { ClaimForm } from "./claim-form.tsx";
import { Doorstep } from "./doorstep.tsx";
import { LoginForm } from "./login-form.tsx";
import { go } from "./route.tsx";
import { type SessionAnswer, SessionContext, type SessionHandle } from "./session.tsx";
import { endTrial, trialOf } from "./trial.ts";
import { useReturn } from "./use-return.ts";
import { shellWords } from "./words.ts";

/** How long a page waits behind the login. */
const KEPT_MS = 60 * 60_000;

type Standing = "asking" | "unreachable" | "unclaimed" | "out" | "in";

export function Gate({ children }: { readonly children: ComponentChildren }) {
  const [standing, setStanding] = useState<Standing>("asking");
  /** Who is in, or was until a moment ago; nobody after a log-out. */
  const [handle, setHandle] = useState<SessionHandle>();
  const isIn = standing === "in";
  useReturn(isIn, handle?.user);

  const leave = useCallback(() => {
    api.forget();
    setHandle(undefined);
  }, []);
  const enter = useCallback(
    ({ claimed, session }: SessionAnswer) => {
      if (session === null) {
        if (!claimed) leave(); // another life begins, maybe with the same names
        return setStanding(claimed ? "out" : "unclaimed");
      }
      const { user, role } = session;
      const meet = (answer: SessionAnswer) => {
        if (answer.session?.user !== user || answer.session.role !== role) enter(answer);
      };
      const signOut = async () => {
        await api.del("/api/session").catch((error: unknown) => {
          if (!(error instanceof ApiError && error.status === 401)) throw error; // it is over already
        });
        leave();
        setStanding("out");
      };
      setHandle((last) => {
        const isSame = last?.user === user && last.role === role;
        const memory = isSame ? last.memory : new Map<string, unknown>();
        return { user, role, login: (last?.login ?? 0) + 1, memory, signOut, meet };
      });
      setStanding("in");
    },
    [leave],
  );
  const ask = useCallback(async () => {
    setStanding("asking");
    try {
      enter(await api.get<SessionAnswer>("/api/session"));
    } catch {
      setStanding("unreachable"); // said below, with a button to try again
    }
  }, [enter]);
  useEffect(() => {
    api.onSignedOut(() => setStanding((now) => (now === "in" ? "out" : now)));
    void ask();
  }, [ask]);

  useEffect(() => {
    if (isIn || handle === undefined) return undefined;
    const timer = setTimeout(leave, KEPT_MS);
    return () => clearTimeout(timer);
  }, [isIn, handle, leave]);

  return (
    <>
      {!isIn && <Door standing={standing} last={handle} onAsk={ask} onIn={enter} />}
      {handle !== undefined && (
        <div key={`${handle.role} ${handle.user}`} hidden={!isIn}>
          <CoveredContext.Provider value={!isIn}>
            <SessionContext.Provider value={handle}>{children}</SessionContext.Provider>
          </CoveredContext.Provider>
        </div>
      )}
    </>
  );
}

interface DoorProps {
  readonly standing: Exclude<Standing, "in">;
  /** Whose session ended under their hands. */
  readonly last: SessionHandle | undefined;
  readonly onAsk: () => void;
  readonly onIn: (answer: SessionAnswer) => void;
}

function Door({ standing, last, onAsk, onIn }: DoorProps) {
  const text = useText(shellWords);
  switch (standing) {
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
          <Button kind="primary" icon="refresh" onClick={onAsk}>
            {text("tryAgain")}
          </Button>
        </Doorstep>
      );
    case "unclaimed":
      return (
        <ClaimForm
          onClaimed={(answer) => {
            go("wizard");
            onIn(answer);
          }}
          onLate={onAsk}
        />
      );
    case "out":
      return (
        <LoginForm
          lastUser={last?.user}
          trial={last === undefined ? undefined : trialOf(last.memory)}
          onSignedIn={(answer) => {
            if (last !== undefined) endTrial(last.memory);
            onIn(answer);
          }}
        />
      );
  }
}
