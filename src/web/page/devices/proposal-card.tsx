// What a device may be: how sure, why, what would be published, and the settings for it, to copy or to take over at once.

import { useState } from "preact/hooks";
import { Raw } from "../messages/raw.tsx";
import { visible } from "../messages/visible.ts";
import type { ApiError } from "../shell/api.ts";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Copy } from "../ui/copy.tsx";
import { Field } from "../ui/field.tsx";
import { Input } from "../ui/input.tsx";
import { Notice } from "../ui/notice.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { addPort } from "./add-port.ts";
import type { Proposal } from "./plugged-device.ts";
import { pluggedWords } from "./plugged-words.ts";

interface ProposalCardProps {
  readonly proposal: Proposal;
  /** From 1, the surest first. */
  readonly number: number;
}

type Adding =
  | { readonly at: "open" }
  | { readonly at: "busy" }
  | { readonly at: "failed"; readonly error: ApiError }
  | { readonly at: "added"; readonly isNow: boolean };

export function ProposalCard({ proposal, number }: ProposalCardProps) {
  const text = useText(pluggedWords);
  const format = useFormat();
  const [name, setName] = useState(proposal.serial.name);
  const [adding, setAdding] = useState<Adding>({ at: "open" });
  const settings = { ...proposal.serial, name };
  const add = async () => {
    setAdding({ at: "busy" });
    try {
      const applied = await addPort(settings);
      setAdding({ at: "added", isNow: applied === "now" });
    } catch (cause) {
      setAdding({ at: "failed", error: cause as ApiError });
    }
  };
  const json = JSON.stringify(settings, null, 2);
  return (
    <Card
      title={text("proposal", { n: number, percent: format.percent(proposal.confidence) })}
      lead={<bdi lang="en">{visible(proposal.why, 1_000)}</bdi>}
    >
      {proposal.preview.length > 0 && (
        <div>
          <h3>{text("preview")}</h3>
          {proposal.preview.map((line) => (
            <p class="dev-read" key={JSON.stringify(line)}>
              {"fault" in line ? (
                <bdi lang="en">{visible(line.fault, 500)}</bdi>
              ) : (
                <>
                  <Raw text={line.subject} isMono /> <Raw text={line.payload} isMono />
                </>
              )}
            </p>
          ))}
        </div>
      )}
      <details>
        <summary class="dev-summary">{text("block")}</summary>
        <pre>{json}</pre>
        <Copy text={json} label={text("block")} />
      </details>
      {adding.at === "added" ? (
        <Notice tone="good">{text(adding.isNow ? "added_now" : "added_later", { port: visible(name) })}</Notice>
      ) : (
        <>
          <Field label={text("port_name")}>
            <Input value={name} onInput={setName} isMono />
          </Field>
          {adding.at === "failed" && (
            <Notice tone="bad" title={text("add_failed")} isAlert>
              <span lang="en">{adding.error.message}</span>
              {adding.error.faults.map((fault) => (
                <p key={fault.path} lang="en">
                  {fault.path}: {fault.wanted}. {fault.remedy}
                </p>
              ))}
            </Notice>
          )}
          <div class="actions">
            <Button kind={number === 1 ? "primary" : "plain"} icon="add" busy={adding.at === "busy"} onClick={add}>
              {text("add")}
            </Button>
          </div>
        </>
      )}
    </Card>
  );
}
