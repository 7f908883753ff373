// The first boot: the claim code, then a name and a password of one's own. Nothing else works before.

import { useState } from "preact/hooks";
import { Button } from "../ui/button.tsx";
import { Field } from "../ui/field.tsx";
import { Input } from "../ui/input.tsx";
import { Notice } from "../ui/notice.tsx";
import { useText } from "../words/catalogue.ts";
import { ApiError, api } from "./api.ts";
import { Doorstep } from "./doorstep.tsx";
import { NewPassword, PASSWORD_CHARS_MIN } from "./new-password.tsx";
import { refusalWords } from "./refusal-words.ts";
import type { SessionAnswer } from "./session.tsx";
import { shellWords } from "./words.ts";

interface ClaimFormProps {
  readonly onClaimed: (answer: SessionAnswer) => void;
  /** Somebody else was first. */
  readonly onLate: () => void;
}

export function ClaimForm({ onClaimed, onLate }: ClaimFormProps) {
  const text = useText(shellWords);
  const [code, setCode] = useState("");
  const [user, setUser] = useState("owner");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState("");
  const isReady = code.trim() !== "" && user.trim() !== "" && password.length >= PASSWORD_CHARS_MIN;
  const claim = async () => {
    if (!isReady) return setFault(text("claimIncomplete", { n: PASSWORD_CHARS_MIN }));
    setBusy(true);
    setFault("");
    try {
      onClaimed(await api.post<SessionAnswer>("/api/claim", { code: code.trim(), user: user.trim(), password }));
    } catch (error) {
      if (error instanceof ApiError && error.code === "WEB_CLAIMED") return onLate();
      setFault(refusalWords(error, text));
      setBusy(false);
    }
  };
  return (
    <Doorstep title={text("claimTitle")} lead={text("claimLead")}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void claim();
        }}
      >
        <Field label={text("claimCode")} help={text("claimCodeHelp")}>
          <Input value={code} onInput={setCode} isMono isRequired />
        </Field>
        <Field label={text("userName")} help={text("userNameHelp")}>
          <Input value={user} onInput={setUser} autoComplete="username" isRequired />
        </Field>
        <NewPassword label={text("newPassword")} value={password} onInput={setPassword} />
        {fault !== "" && (
          <Notice tone="bad" isAlert>
            {fault}
          </Notice>
        )}
        <Button kind="primary" type="submit" busy={busy}>
          {text("claim")}
        </Button>
      </form>
    </Doorstep>
  );
}
