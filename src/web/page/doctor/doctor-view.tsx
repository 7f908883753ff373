// The examination, live: a button, the steps as they are taken, what to mend first, and a line for head office.

import { useContext } from "preact/hooks";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Copy } from "../ui/copy.tsx";
import { Empty } from "../ui/empty.tsx";
import { Notice } from "../ui/notice.tsx";
import { Qr } from "../ui/qr.tsx";
import { View } from "../ui/view.tsx";
import { useText } from "../words/catalogue.ts";
import { LanguageContext } from "../words/languages.ts";
import { type Examination, stepUnderWay, textOf } from "./examination.ts";
import { FindingBlock, StepList, TONES, useStepName } from "./step-list.tsx";
import { useExamination } from "./use-examination.ts";
import { words } from "./words.ts";

export function DoctorView() {
  const text = useText(words);
  const isForeign = useContext(LanguageContext).language !== "en";
  const { examination, run, stop } = useExamination();
  const { state, steps, failure } = examination;
  const action =
    state === "running" ? (
      <Button icon="close" onClick={stop}>
        {text("stop")}
      </Button>
    ) : (
      <Button kind="primary" icon={state === "idle" ? "doctor" : "refresh"} onClick={() => run()}>
        {text(state === "idle" ? "start" : "again")}
      </Button>
    );
  return (
    <View title={text("title")} lead={text("lead")} actions={action}>
      <Progress examination={examination} />
      {state === "idle" && <Empty icon="doctor" title={text("not_yet")} hint={text("not_yet_hint")} />}
      {state === "failed" && (
        <Notice tone="bad" isAlert title={text("failed")}>
          <span lang="en">{failure}</span>
        </Notice>
      )}
      {state === "stopped" && <Notice tone="idle" title={text("stopped")} />}
      <Result examination={examination} />
      {steps.length > 0 && (
        <>
          {isForeign && <p class="doctor-note">{text("in_english")}</p>}
          <StepList examination={examination} />
        </>
      )}
    </View>
  );
}

/** Always there, so that a screen reader hears what changes in it. */
function Progress({ examination }: { readonly examination: Examination }) {
  const text = useText(words);
  const nameOf = useStepName();
  const at = stepUnderWay(examination);
  const step = examination.steps[at];
  const count = examination.steps.length;
  const { done } = examination;
  return (
    <div class="doctor-progress">
      <p role="status">
        {step !== undefined && text("looking", { step: nameOf(step), n: at + 1, count })}
        {done !== undefined && (
          <span class="visually-hidden">{`${text(TITLES[done.summary.verdict])}. ${text("counts", { ...done.summary })}`}</span>
        )}
      </p>
      {step !== undefined && <progress class="doctor-bar" max={count} value={at} aria-label={text("title")} />}
    </div>
  );
}

const TITLES = { fine: "all_fine", warning: "some_warning", broken: "some_broken" } as const;

function Result({ examination }: { readonly examination: Examination }) {
  const text = useText(words);
  const nameOf = useStepName();
  const { done, findings } = examination;
  if (done === undefined) return null;
  const { summary, compact } = done;
  const bad = findings.filter(({ verdict }) => verdict === "broken");
  const first = bad.length > 0 ? bad : findings.filter(({ verdict }) => verdict === "warning");
  const said = text("counts", { ...summary });
  const title = text(TITLES[summary.verdict]);
  return (
    <>
      {first.length === 0 && (
        <Notice tone={TONES[summary.verdict]} title={title}>
          {said}
        </Notice>
      )}
      {first.length > 0 && (
        <Card title={title} lead={said} class={`doctor-result doctor-result-${summary.verdict}`}>
          {first.map((finding) => (
            <div key={`${finding.step} ${finding.target} ${finding.cause}`} class="doctor-first">
              <h3>{nameOf(finding.step)}</h3>
              <FindingBlock finding={finding} isAlone />
            </div>
          ))}
        </Card>
      )}
      <Card title={text("hand_on")} lead={text("hand_on_lead")} class="doctor-hand-on">
        <div class="doctor-compact">
          <Qr text={compact} label={text("qr")} />
          <div class="doctor-compact-words">
            <p class="mono doctor-line">{compact}</p>
            <Copy text={compact} label={text("copy_line")} />
            <p>{text("copy_all_lead")}</p>
            <Copy text={textOf(examination)} label={text("copy_all")} />
          </div>
        </div>
      </Card>
    </>
  );
}
