// Listens to one device at one speed after the other, and shows what it would publish.

import { useEffect, useState } from "preact/hooks";
import { type ApiError, api } from "../shell/api.ts";
import { refusalWords } from "../shell/refusal-words.ts";
import { shellWords } from "../shell/words.ts";
import { Button } from "../ui/button.tsx";
import { Field } from "../ui/field.tsx";
import { Input } from "../ui/input.tsx";
import { Notice } from "../ui/notice.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import type { Document } from "./answers.ts";
import { wizardWords } from "./words.ts";

interface Proposal {
  readonly confidence: number;
  readonly why: string;
  readonly serial: Document;
  readonly preview: readonly ({ readonly subject: string; readonly payload: string } | { readonly fault: string })[];
}

interface SerialGuessProps {
  readonly path: string;
  readonly onUse: (block: Document) => void;
  readonly onClose: () => void;
}

export function SerialGuess({ path, onUse, onClose }: SerialGuessProps) {
  const text = useText(wizardWords);
  const shellText = useText(shellWords);
  const [rate, setRate] = useState("");
  const [proposals, setProposals] = useState<readonly Proposal[]>();
  const [refusal, setRefusal] = useState<ApiError>();
  useEffect(() => {
    const stream = api.stream(
      "/api/ports/guess",
      (event, data) => {
        if (event === "try") setRate(String((data as { readonly baud_rate: number }).baud_rate));
        if (event === "done") setProposals((data as { readonly proposals: readonly Proposal[] }).proposals);
      },
      { method: "POST", body: { path }, onState: (state, error) => state === "refused" && setRefusal(error) },
    );
    return () => stream.close();
  }, [path]);
  if (refusal !== undefined)
    return (
      <Notice tone="bad" isAlert actions={<Button onClick={onClose}>{text("testStop")}</Button>}>
        {refusalWords(refusal, shellText)}
      </Notice>
    );
  if (proposals === undefined)
    return (
      <div class="wizard-port">
        <Spinner label={rate === "" ? "…" : text("listening", { rate })} />
        <Button onClick={onClose}>{text("testStop")}</Button>
      </div>
    );
  if (proposals.length === 0)
    return (
      <Notice tone="look" isAlert actions={<Button onClick={onClose}>{text("back")}</Button>}>
        {text("nothingHeard")}
      </Notice>
    );
  return (
    <div class="wizard-proposals">
      {proposals.map((proposal) => (
        <ProposalCard key={JSON.stringify(proposal.serial)} proposal={proposal} onUse={onUse} />
      ))}
      <Button onClick={onClose}>{text("back")}</Button>
    </div>
  );
}

function ProposalCard({ proposal, onUse }: { readonly proposal: Proposal; readonly onUse: (block: Document) => void }) {
  const text = useText(wizardWords);
  const format = useFormat();
  const { serial, preview, why, confidence } = proposal;
  const [name, setName] = useState(String(serial["name"] ?? ""));
  return (
    <div class="card">
      <h3>{why}</h3>
      <p class="card-lead">
        {typeof serial["baud_rate"] === "number" && `${format.count(serial["baud_rate"])} baud · `}
        {text("sure", { percent: format.percent(confidence) })}
      </p>
      <ul class="wizard-preview">
        {preview.map((line) => (
          <li key={JSON.stringify(line)}>
            <code>{"fault" in line ? line.fault : `${line.subject}  ${line.payload}`}</code>
          </li>
        ))}
      </ul>
      <Field label={text("portName")}>
        <Input value={name} onInput={setName} />
      </Field>
      <div class="actions">
        <Button kind="primary" disabled={name.trim() === ""} onClick={() => onUse({ ...serial, name: name.trim() })}>
          {text("useThis")}
        </Button>
      </div>
    </div>
  );
}
