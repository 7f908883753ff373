// What is kept while the hub is away: a few ways that fit most places.

import { useText } from "../words/catalogue.ts";
import { PRESETS } from "./answers.ts";
import type { StepProps } from "./wizard-view.tsx";
import { wizardWords } from "./words.ts";

export function RulesStep({ answers, answer, settings }: StepProps) {
  const text = useText(wizardWords);
  const hasOwn = answers.preset === null || JSON.stringify(settings.document["outbox"] ?? {}).includes('"rules"');
  const choices = [...PRESETS, ...(hasOwn ? [null] : [])];
  return (
    <fieldset class="wizard-presets">
      <legend>
        <h2>{text("step_rules")}</h2>
        <p class="view-lead">{text("rulesLead")}</p>
      </legend>
      {choices.map((preset) => {
        const name = preset ?? "own";
        return (
          <label key={name} class="wizard-preset">
            <input type="radio" name="preset" checked={answers.preset === preset} onChange={() => answer({ preset })} />
            <span>
              <strong>{text(`preset_${name}`)}</strong>
              <span>{text(`presetText_${name}`)}</span>
            </span>
          </label>
        );
      })}
    </fieldset>
  );
}
