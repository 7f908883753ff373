// Who gets a message on this subject? Asked of the device; nothing is sent.

import { useEffect, useState } from "preact/hooks";
import { type ApiError, api } from "../shell/api.ts";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Field } from "../ui/field.tsx";
import { Input } from "../ui/input.tsx";
import { Notice } from "../ui/notice.tsx";
import { useText } from "../words/catalogue.ts";
import { AccountChoice } from "./account-choice.tsx";
import { explainWords } from "./explain-words.ts";
import { type Explanation, SubjectFacts } from "./subject-facts.tsx";
import { visible } from "./visible.ts";
import { words } from "./words.ts";

interface ExplainProps {
  readonly subject: string;
  readonly onSubject: (subject: string) => void;
}

export function Explain({ subject, onSubject }: ExplainProps) {
  const text = useText(explainWords);
  const common = useText(words);
  const [account, setAccount] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();
  const [explained, setExplained] = useState<Explanation>();
  const ask = async () => {
    if (subject.trim() === "") return;
    setBusy(true);
    setError(undefined);
    try {
      const query = new URLSearchParams({ subject: subject.trim(), ...(account === "" ? {} : { account }) });
      setExplained(await api.get<Explanation>(`/api/subjects/explain?${query}`));
    } catch (cause) {
      setError(cause as ApiError);
      setExplained(undefined);
    }
    setBusy(false);
  };
  // Who comes with a subject from the list wants to know at once.
  useEffect(() => void ask(), []);
  return (
    <div class="msg-pane">
      <p>{text("lead")}</p>
      <form
        class="msg-form"
        onSubmit={(event) => {
          event.preventDefault();
          void ask();
        }}
      >
        <Field label={common("filter")}>
          <Input value={subject} onInput={onSubject} isMono isRequired placeholder="sensors.7.temp" />
        </Field>
        <AccountChoice value={account} onChange={setAccount} />
        <div class="actions">
          <Button type="submit" kind="primary" icon="help" busy={busy}>
            {common("ask")}
          </Button>
        </div>
      </form>
      {error !== undefined && (
        <Notice tone="bad" isAlert>
          <span lang="en">{error.message}</span>
        </Notice>
      )}
      <div role="status">{explained !== undefined && <Answer explained={explained} />}</div>
    </div>
  );
}

function Answer({ explained }: { readonly explained: Explanation }) {
  const text = useText(explainWords);
  if (!explained.valid)
    return (
      <Notice tone="bad" title={text("invalid")}>
        <span lang="en">{explained.fault}</span>
      </Notice>
    );
  return (
    <Card title={visible(explained.subject)}>
      {explained.is_reserved && <Notice tone="look">{text("reserved")}</Notice>}
      {explained.remotes.length === 0 && <Notice tone="look">{text("no_hub")}</Notice>}
      <SubjectFacts explained={explained} />
    </Card>
  );
}
