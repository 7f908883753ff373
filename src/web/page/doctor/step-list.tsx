// The steps in their order, each with what was found, as it is found. The wizard shows the steps to one hub with it, too.

import { Badge, type Tone } from "../ui/badge.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { useText } from "../words/catalogue.ts";
import { type Examination, type Finding, stepUnderWay, type Verdict, worstOf } from "./examination.ts";
import { FactsFold } from "./facts-fold.tsx";
import { stepWords, words } from "./words.ts";

export const TONES: Readonly<Record<Verdict, Tone>> = { fine: "good", warning: "look", broken: "bad", skipped: "idle" };

export function StepList({ examination }: { readonly examination: Examination }) {
  const text = useText(words);
  const nameOf = useStepName();
  const { steps, findings } = examination;
  const at = stepUnderWay(examination);
  return (
    <ol class="doctor-steps">
      {steps.map((step, i) => {
        const own = findings.filter((finding) => finding.step === step);
        const state =
          own.length > 0 ? (
            <Badge tone={TONES[worstOf(own)]}>{text(worstOf(own))}</Badge>
          ) : (
            <span class="doctor-waits">
              {i === at && <Spinner />} {text(i === at ? "now" : "waits")}
            </span>
          );
        return (
          <li key={step} class="doctor-step">
            <div class="doctor-step-head">
              <h3>{nameOf(step)}</h3>
              {state}
            </div>
            {own.map((finding) => (
              <FindingBlock
                key={`${finding.target} ${finding.code} ${finding.cause}`}
                finding={finding}
                isAlone={own.length === 1}
              />
            ))}
          </li>
        );
      })}
    </ol>
  );
}

export function useStepName(): (step: string) => string {
  const text = useText(stepWords);
  return (step) => (Object.hasOwn(stepWords, step) ? text(step as keyof typeof stepWords) : step.replaceAll("_", " "));
}

/** `isAlone`: its verdict stands in the step's head. */
export function FindingBlock({ finding, isAlone }: { readonly finding: Finding; readonly isAlone: boolean }) {
  const text = useText(words);
  const { target, verdict, code, detail, cause, remedy, facts } = finding;
  return (
    <div class={`doctor-finding doctor-${verdict}`}>
      {(target !== null || !isAlone) && (
        <p class="doctor-target">
          {!isAlone && <Badge tone={TONES[verdict]}>{text(verdict)}</Badge>}
          <span class="mono">{target}</span>
        </p>
      )}
      <p>{cause}</p>
      {remedy !== null && (
        <p class="doctor-remedy">
          <strong>{text("remedy")}:</strong> {remedy}
        </p>
      )}
      {code !== null && (
        <p class="doctor-code mono">
          {code}
          {detail === null ? "" : ` · ${detail}`}
        </p>
      )}
      <FactsFold facts={facts} isOpen={verdict === "broken" && "chain" in facts} />
    </div>
  );
}
