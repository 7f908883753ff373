// A message by hand, and what became of it: per hub one sentence.

import { useState } from "preact/hooks";
import { type ApiError, api } from "../shell/api.ts";
import { refusalWords } from "../shell/refusal-words.ts";
import { shellWords } from "../shell/words.ts";
import { Badge, type Tone } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Field } from "../ui/field.tsx";
import { Input } from "../ui/input.tsx";
import { Notice } from "../ui/notice.tsx";
import { Select } from "../ui/select.tsx";
import { Switch } from "../ui/switch.tsx";
import { Textarea } from "../ui/textarea.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { AccountChoice } from "./account-choice.tsx";
import { parseHeaders } from "./headers.ts";
import { base64OfBytes, tryHexBytes } from "./payload.ts";
import { sendWords } from "./send-words.ts";
import { type Explanation, SubjectFacts } from "./subject-facts.tsx";
import { visible } from "./visible.ts";
import { words } from "./words.ts";

const WRITTEN_AS = ["text", "hex"] as const;

type WrittenAs = (typeof WRITTEN_AS)[number];

/** The answer of `POST /api/messages`. */
interface Sent extends Pick<Explanation, "subject" | "topic" | "rule"> {
  readonly local_listeners: number;
  readonly outcome: string;
  readonly remotes: readonly (Explanation["remotes"][number] & { readonly outcome: string })[];
  readonly took_ms: number;
}

interface SendTestProps {
  readonly subject: string;
  readonly onSubject: (subject: string) => void;
}

export function SendTest({ subject, onSubject }: SendTestProps) {
  const text = useText(sendWords);
  const common = useText(words);
  const [payload, setPayload] = useState('{"test": true}');
  const [writtenAs, setWrittenAs] = useState<WrittenAs>("text");
  const [headers, setHeaders] = useState("");
  const [keep, setKeep] = useState(true);
  const [account, setAccount] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();
  const [sent, setSent] = useState<Sent>();
  const bytes = writtenAs === "hex" ? tryHexBytes(payload) : undefined;
  const isHexFaulty = writtenAs === "hex" && bytes === undefined;
  const fields = parseHeaders(headers);
  const send = async () => {
    if (busy || isHexFaulty || fields === undefined || subject.trim() === "") return;
    setBusy(true);
    setError(undefined);
    setSent(undefined);
    try {
      setSent(
        await api.post<Sent>("/api/messages", {
          subject: subject.trim(),
          ...(bytes === undefined ? { payload, encoding: "text" } : { payload: base64OfBytes(bytes), encoding: "base64" }),
          ...(Object.keys(fields).length === 0 ? {} : { headers: fields }),
          ...(account === "" ? {} : { account }),
          keep,
        }),
      );
    } catch (cause) {
      setError(cause as ApiError);
    }
    setBusy(false);
  };
  return (
    <div class="msg-pane">
      <p>{text("lead")}</p>
      <form
        class="msg-form"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <Field label={text("subject")}>
          <Input value={subject} onInput={onSubject} isMono isRequired placeholder="sensors.test" />
        </Field>
        <AccountChoice value={account} onChange={setAccount} />
        <Field label={text("written_as")}>
          <Select
            value={writtenAs}
            onChange={setWrittenAs}
            options={WRITTEN_AS.map((value) => ({ value, label: common(value) }))}
          />
        </Field>
        <Field label={text("content")} {...(isHexFaulty ? { fault: text("hex_fault") } : {})}>
          <Textarea value={payload} onInput={setPayload} rows={5} isMono />
        </Field>
        <Field label={text("headers")} {...(fields === undefined ? { fault: text("headers_fault") } : {})}>
          <Textarea value={headers} onInput={setHeaders} rows={2} isMono />
        </Field>
        <Switch checked={keep} onChange={setKeep} label={text("keep")} />
        <div class="actions">
          <Button type="submit" kind="primary" icon="send" busy={busy}>
            {text("send")}
          </Button>
        </div>
      </form>
      {error !== undefined && <Failure error={error} />}
      <div role="status">{sent !== undefined && <Result sent={sent} />}</div>
    </div>
  );
}

/** What the device refused was not sent; where its answer was lost on the way, nobody knows. */
function Failure({ error }: { readonly error: ApiError }) {
  const text = useText(sendWords);
  const shellText = useText(shellWords);
  if (error.code === "")
    return (
      <Notice tone="bad" title={text("not_known")} isAlert>
        {text("look_first")}
      </Notice>
    );
  const words = refusalWords(error, shellText);
  return (
    <Notice tone="bad" title={text("not_sent")} isAlert>
      <span {...(words === error.message ? { lang: "en" } : {})}>{words}</span>
    </Notice>
  );
}

const TONES: Readonly<Record<string, Tone>> = {
  delivered: "good",
  sent: "good",
  awaited: "look",
  stored: "look",
  held: "look",
  staged: "look",
  no_interest: "look",
};

function Result({ sent }: { readonly sent: Sent }) {
  const text = useText(sendWords);
  const format = useFormat();
  const sentence = (outcome: string, remote: string) =>
    Object.hasOwn(sendWords, outcome) ? text(outcome as keyof typeof sendWords, { remote: visible(remote) }) : outcome;
  return (
    <Card title={visible(sent.subject)} lead={text("took", { time: format.milliseconds(sent.took_ms) })}>
      {sent.remotes.length === 0 && <Notice tone="look">{text("local")}</Notice>}
      {sent.remotes.map(({ remote, outcome }) => (
        <Notice key={remote} tone={TONES[outcome] ?? "bad"}>
          {sentence(outcome, remote)}
        </Notice>
      ))}
      <SubjectFacts explained={{ ...sent, local_subscriptions: sent.local_listeners }} />
      <p class="visually-hidden">
        <Badge tone={TONES[sent.outcome] ?? "idle"}>{sent.outcome}</Badge>
      </p>
    </Card>
  );
}
