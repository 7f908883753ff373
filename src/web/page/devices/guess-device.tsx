// Listens to a device at one speed after the other, and shows what it may be: with what would be published, and a way to set it up so.

import { useEffect, useState } from "preact/hooks";
import { Raw } from "../messages/raw.tsx";
import { visible } from "../messages/visible.ts";
import { type ApiError, api } from "../shell/api.ts";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Empty } from "../ui/empty.tsx";
import { Notice } from "../ui/notice.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import type { PluggedDevice, Proposal } from "./plugged-device.ts";
import { pluggedWords } from "./plugged-words.ts";
import { ProposalCard } from "./proposal-card.tsx";
import { serialWords } from "./serial-words.ts";

interface GuessDeviceProps {
  readonly device: PluggedDevice;
  readonly onClose: () => void;
}

interface Trying {
  readonly baud_rate: number;
  /** The port of ours that has the device. */
  readonly through: string | null;
}

export function GuessDevice({ device, onClose }: GuessDeviceProps) {
  const text = useText(pluggedWords);
  const serial = useText(serialWords);
  const format = useFormat();
  const [trying, setTrying] = useState<Trying>();
  const [proposals, setProposals] = useState<readonly Proposal[]>();
  const [error, setError] = useState<ApiError | string>();
  useEffect(() => {
    const stream = api.stream(
      "/api/ports/guess",
      (event, data) => {
        if (event === "try") setTrying(data as Trying);
        if (event === "done") setProposals((data as { proposals: readonly Proposal[] }).proposals);
        if (event === "error" || event === "trouble") setError((data as { message: string }).message);
      },
      {
        method: "POST",
        body: { path: device.path },
        onState: (state, refusal) => state === "refused" && setError(refusal),
      },
    );
    return () => stream.close();
  }, [device.path]);
  return (
    <div class="dev-pane">
      <p>
        <Button kind="quiet" icon="back" onClick={onClose}>
          {text("all")}
        </Button>
      </p>
      <Card title={text("guessing", { path: visible(device.path) })} lead={<Raw text={device.product ?? device.identity} />}>
        {error !== undefined ? (
          <Notice tone="bad" title={text("guess_failed")} isAlert>
            <span lang="en">{typeof error === "string" ? error : error.message}</span>
          </Notice>
        ) : (
          proposals === undefined && (
            <Spinner
              label={
                trying === undefined
                  ? serial("listening")
                  : trying.through === null
                    ? text("trying", { rate: format.count(trying.baud_rate) })
                    : text("trying_through", { port: visible(trying.through) })
              }
            />
          )
        )}
        {proposals?.length === 0 && <Empty icon="serial" title={text("no_proposal")} hint={text("no_proposal_hint")} />}
      </Card>
      {proposals?.map((proposal, index) => (
        <ProposalCard key={JSON.stringify(proposal.serial)} proposal={proposal} number={index + 1} />
      ))}
    </div>
  );
}
