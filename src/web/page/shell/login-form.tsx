// Who comes back logs in. What went wrong stays on the form, with the time to wait where the device asks for one.

import { useState } from "preact/hooks";
import { Button } from "../ui/button.tsx";
import { Field } from "../ui/field.tsx";
import { Input } from "../ui/input.tsx";
import { Notice } from "../ui/notice.tsx";
import { useText } from "../words/catalogue.ts";
import { api } from "./api.ts";
import { Doorstep } from "./doorstep.tsx";
import { refusalWords } from "./refusal-words.ts";
import type { SessionAnswer } from "./session.tsx";
import type { Trial } from "./trial.ts";
import { shellWords } from "./words.ts";

interface LoginFormProps {
  /** Whose session ended under their hands: the page waits for them as they left it. */
  readonly lastUser: string | undefined;
  /** Why it ended: settings were put on trial. */
  readonly trial: Trial | undefined;
  readonly onSignedIn: (answer: SessionAnswer) => void;
}

export function LoginForm({ lastUser, trial, onSignedIn }: LoginFormProps) {
  const text = useText(shellWords);
  const [user, setUser] = useState(lastUser ?? "");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState("");
  const signIn = async () => {
    setBusy(true);
    setFault("");
    try {
      onSignedIn(await api.post<SessionAnswer>("/api/session", { user: user.trim(), password }));
    } catch (error) {
      setFault(refusalWords(error, text));
      setPassword("");
      setBusy(false);
    }
  };
  return (
    <Doorstep title={text("loginTitle")}>
      {lastUser !== undefined && fault === "" && (
        <Notice tone={trial === undefined ? "idle" : "look"}>{text(whyOut(trial))}</Notice>
      )}
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void signIn();
        }}
      >
        <Field label={text("userName")}>
          <Input value={user} onInput={setUser} autoComplete="username" isRequired />
        </Field>
        <Field label={text("password")}>
          <Input type="password" value={password} onInput={setPassword} autoComplete="current-password" isRequired />
        </Field>
        {fault !== "" && (
          <Notice tone="bad" isAlert>
            {fault}
          </Notice>
        )}
        <Button kind="primary" type="submit" busy={busy}>
          {text("signIn")}
        </Button>
        <details class="details">
          <summary>{text("forgot")}</summary>
          <p>{text("forgotHint")}</p>
        </details>
      </form>
    </Doorstep>
  );
}

/** A page that was to move and asks for a login here was not kept there: the device has taken the change back. */
function whyOut(trial: Trial | undefined) {
  if (trial === undefined) return "sessionEnded";
  return trial.address === undefined ? "trialLogin" : "takenBack";
}
