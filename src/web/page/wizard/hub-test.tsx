// The doctor looks at a hub that is not in the settings yet, and tells each step as it ends.

import { useEffect, useState } from "preact/hooks";
import { StepList, TONES } from "../doctor/step-list.tsx";
import { useExamination } from "../doctor/use-examination.ts";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Notice } from "../ui/notice.tsx";
import { useText } from "../words/catalogue.ts";
import type { Document } from "./answers.ts";
import { wizardWords } from "./words.ts";

const RESULTS = { fine: "testGood", warning: "testLook", broken: "testBad" } as const;

export function HubTest({ remote }: { readonly remote: Document }) {
  const text = useText(wizardWords);
  const { examination, run, stop } = useExamination();
  const [tested, setTested] = useState("");
  const wanted = JSON.stringify(remote);
  const isOfThis = tested === wanted;
  const isRunning = examination.state === "running";
  // Another hub, another answer.
  useEffect(() => {
    if (isRunning && !isOfThis) stop();
  }, [isRunning, isOfThis, stop]);
  const verdict = isOfThis ? examination.done?.summary.verdict : undefined;
  return (
    <Card
      title={text("testHub")}
      actions={
        isRunning ? (
          <Button onClick={stop}>{text("testStop")}</Button>
        ) : (
          <Button
            kind="primary"
            icon="doctor"
            onClick={() => {
              setTested(wanted);
              run(remote);
            }}
          >
            {text("testHub")}
          </Button>
        )
      }
    >
      {verdict !== undefined && (
        <Notice tone={TONES[verdict]} isAlert>
          {text(RESULTS[verdict])}
        </Notice>
      )}
      {isOfThis && examination.state === "failed" && (
        <Notice tone="bad" isAlert>
          <span lang="en">{examination.failure}</span>
        </Notice>
      )}
      {isOfThis && examination.steps.length > 0 && <StepList examination={examination} />}
    </Card>
  );
}
