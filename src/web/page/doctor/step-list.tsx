// The steps in their order, each with what was found, as it is found. The wizard shows the steps to one hub with it, too.

import { useContext } from "preact/hooks";
import { linkFaultWords } from "../dashboard/link-words.ts";
import { Badge, type Tone } from "../ui/badge.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { useText } from "../words/catalogue.ts";
import { useColon } from "../words/colon.ts";
import { LanguageContext } from "../words/languages.ts";
import { type Examination, type Finding, stepUnderWay, type Verdict, worstOf } from "./examination.ts";
import { FactsFold } from "./facts-fold.tsx";
import { findingWords } from "./finding-words.ts";
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

/** Cause and remedy in the reader's language, where that is not the device's own. undefined: it is, or there are none. */
function useGeneral(code: string | null): string | undefined {
  const { language } = useContext(LanguageContext);
  const text = useText(findingWords);
  const linkText = useText(linkFaultWords);
  if (code === null || language === "en") return undefined;
  if (isIn(findingWords, code)) return text(code);
  if (isIn(linkFaultWords, code)) return `${linkText(code)} ${linkText(`${code}_remedy` as keyof typeof linkFaultWords)}`;
  return undefined;
}

function isIn<T extends object>(words: T, key: string): key is Extract<keyof T, string> {
  return Object.hasOwn(words, key);
}

/** `isAlone`: its verdict stands in the step's head. */
export function FindingBlock({ finding, isAlone }: { readonly finding: Finding; readonly isAlone: boolean }) {
  const text = useText(words);
  const { target, verdict, code, detail, cause, remedy, facts } = finding;
  const colon = useColon();
  const general = useGeneral(code);
  const own = useContext(LanguageContext).language === "en" ? "" : "doctor-own";
  return (
    <div class={`doctor-finding doctor-${verdict}`}>
      {(target !== null || !isAlone) && (
        <p class="doctor-target">
          {!isAlone && <Badge tone={TONES[verdict]}>{text(verdict)}</Badge>}
          <span class="mono">{target}</span>
        </p>
      )}
      {general !== undefined && <p>{general}</p>}
      <p lang="en" class={own}>
        {cause}
      </p>
      {remedy !== null && (
        <p class={own || "doctor-remedy"}>
          <strong>
            {text("remedy")}
            {colon}
          </strong>
          <span lang="en">{remedy}</span>
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
