// The first five minutes:
//
//   name ─▶ hub ─▶ devices ─▶ rules ─▶ save, restart, test message ─▶ done, on paper
//
// Nothing is written before "Save and start" but files of credentials and certificates, which a test of the hub needs. The step is in
// the address, the answers in the session's memory, so the restart in the middle leads back to where one was.

import { useEffect, useState } from "preact/hooks";
import { type ApiError, api } from "../shell/api.ts";
import { go, goInstead, Link, useRoute } from "../shell/route.tsx";
import { useSession } from "../shell/session.tsx";
import { Button } from "../ui/button.tsx";
import { Notice } from "../ui/notice.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { View } from "../ui/view.tsx";
import { useText } from "../words/catalogue.ts";
import { type Answers, answersOf, type Document } from "./answers.ts";
import { DevicesStep } from "./devices-step.tsx";
import { DoneStep } from "./done-step.tsx";
import { HubStep } from "./hub-step.tsx";
import { useMemory } from "./memory.ts";
import { NameStep } from "./name-step.tsx";
import { RulesStep } from "./rules-step.tsx";
import { TestStep } from "./test-step.tsx";
import { wizardWords } from "./words.ts";

const STEPS = ["name", "hub", "devices", "rules", "test", "done"] as const;

export interface SettingsAnswer {
  readonly document: Document;
  readonly revision: string;
  readonly restart_needed: boolean;
}

export interface StepProps {
  readonly settings: SettingsAnswer;
  readonly answers: Answers;
  readonly isSaved: boolean;
  answer(change: Partial<Answers>): void;
  /** The settings were written: this is what they are now. */
  saved(settings: SettingsAnswer): void;
  reload(): Promise<void>;
}

export function WizardView() {
  const text = useText(wizardWords);
  const { rest } = useRoute();
  const { login } = useSession();
  const [settings, setSettings] = useState<SettingsAnswer>();
  const [error, setError] = useState<ApiError>();
  const [answers, setAnswers] = useMemory<Answers | undefined>("wizard.answers", () => undefined);
  const [savedAs, setSavedAs] = useMemory<string>("wizard.saved", () => "");
  const step = STEPS.find((each) => each === rest[0]);

  const load = async () => {
    try {
      const now = await api.get<SettingsAnswer>("/api/settings");
      setSettings(now);
      return now;
    } catch (failure) {
      setError(failure as ApiError);
      return undefined;
    }
  };
  useEffect(() => {
    void load().then((now) => {
      if (now === undefined || answers !== undefined) return;
      const first = answersOf(now.document);
      setAnswers(first);
      setSavedAs(JSON.stringify(first));
    });
  }, [login]); // after the restart nothing waits for one any more
  useEffect(() => {
    if (step === undefined) goInstead(`wizard/${STEPS[0]}`);
  }, [step]);

  if (error !== undefined)
    return (
      <View title={text("title")}>
        {
          <Notice tone="bad">
            <span lang="en">{error.message}</span>
          </Notice>
        }
      </View>
    );
  if (settings === undefined || answers === undefined || step === undefined) return <Spinner label="…" />;
  const at = STEPS.indexOf(step);
  const props: StepProps = {
    settings,
    answers,
    isSaved: JSON.stringify(answers) === savedAs,
    answer: (change) => setAnswers({ ...answers, ...change }),
    saved: (now) => {
      setSettings(now);
      setSavedAs(JSON.stringify(answers));
    },
    reload: async () => void (await load()),
  };
  const Step = COMPONENTS[step];
  return (
    <View key={step} title={text("title")}>
      <ol class="wizard-steps no-print" aria-label={text("steps")}>
        {STEPS.map((each, index) => (
          <li key={each} class={index < at ? "wizard-past" : index === at ? "wizard-here" : ""}>
            <Link to={`wizard/${each}`} aria-current={index === at ? "page" : undefined}>
              <span class="wizard-number" aria-hidden="true">
                {index + 1}
              </span>
              {text(`step_${each}`)}
            </Link>
          </li>
        ))}
      </ol>
      <p class="visually-hidden" role="status">
        {text("stepOf", { n: at + 1, all: STEPS.length })}: {text(`step_${step}`)}
      </p>
      <Step {...props} />
      {step !== "done" && (
        <div class="wizard-foot actions">
          {at > 0 && (
            <Button icon="back" onClick={() => go(`wizard/${STEPS[at - 1]}`)}>
              {text("back")}
            </Button>
          )}
          <Button kind={step === "test" && !props.isSaved ? "plain" : "primary"} onClick={() => go(`wizard/${STEPS[at + 1]}`)}>
            {text("next")}
          </Button>
        </div>
      )}
    </View>
  );
}

const COMPONENTS = {
  name: NameStep,
  hub: HubStep,
  devices: DevicesStep,
  rules: RulesStep,
  test: TestStep,
  done: DoneStep,
} as const;
