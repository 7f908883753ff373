// Saves what was chosen, brings it into force, and proves the way to the hub with a real message.

import { useText } from "../words/catalogue.ts";
import { SavePart } from "./save-part.tsx";
import { TestMessage } from "./test-message.tsx";
import type { StepProps } from "./wizard-view.tsx";
import { wizardWords } from "./words.ts";

export function TestStep(props: StepProps) {
  const text = useText(wizardWords);
  const isRunning = props.isSaved && !props.settings.restart_needed;
  return (
    <>
      <p class="view-lead">{text("saveLead")}</p>
      <SavePart {...props} />
      {isRunning && <TestMessage />}
    </>
  );
}
