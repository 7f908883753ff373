// One's own password, how this browser shows the page, and the way out.

import { useState } from "preact/hooks";
import type { Tone } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Field } from "../ui/field.tsx";
import { Input } from "../ui/input.tsx";
import { Notice } from "../ui/notice.tsx";
import { useToast } from "../ui/toast.tsx";
import { View } from "../ui/view.tsx";
import { useText } from "../words/catalogue.ts";
import { api } from "./api.ts";
import { Choices } from "./choices.tsx";
import { NewPassword, PASSWORD_CHARS_MIN } from "./new-password.tsx";
import { refusalWords } from "./refusal-words.ts";
import { useSession } from "./session.tsx";
import { shellWords } from "./words.ts";

export function AccountView() {
  const text = useText(shellWords);
  const toast = useToast();
  const { user, role, signOut } = useSession();
  const leave = () => signOut().catch((error: unknown) => toast(refusalWords(error, text), "bad"));
  return (
    <View
      title={text("account")}
      lead={`${user} · ${text(`role_${role}`)}`}
      actions={
        <Button icon="signOut" onClick={() => void leave()}>
          {text("signOut")}
        </Button>
      }
    >
      <ChangePassword />
      <Card title={text("thisBrowser")}>
        <Choices />
      </Card>
    </View>
  );
}

function ChangePassword() {
  const text = useText(shellWords);
  const [password, setPassword] = useState("");
  const [next, setNext] = useState("");
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState<{ readonly tone: Tone; readonly words: string }>();
  const change = async () => {
    if (password === "" || next.length < PASSWORD_CHARS_MIN)
      return setSaid({ tone: "bad", words: text("claimIncomplete", { n: PASSWORD_CHARS_MIN }) });
    setBusy(true);
    try {
      await api.put("/api/session/password", { password, new_password: next });
      setPassword("");
      setNext("");
      setSaid({ tone: "good", words: text("passwordChanged") });
    } catch (error) {
      setSaid({ tone: "bad", words: refusalWords(error, text) });
    }
    setBusy(false);
  };
  return (
    <Card title={text("changePassword")}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void change();
        }}
      >
        <Field label={text("oldPassword")}>
          <Input type="password" autoComplete="current-password" value={password} onInput={setPassword} />
        </Field>
        <NewPassword label={text("newPassword")} value={next} onInput={setNext} />
        {said !== undefined && (
          <Notice tone={said.tone} isAlert>
            {said.words}
          </Notice>
        )}
        <Button kind="primary" type="submit" busy={busy}>
          {text("changePassword")}
        </Button>
      </form>
    </Card>
  );
}
