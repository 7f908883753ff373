// How the gateway is called.

import { useStatus } from "../shell/live.tsx";
import { Card } from "../ui/card.tsx";
import { Field } from "../ui/field.tsx";
import { Input } from "../ui/input.tsx";
import { useText } from "../words/catalogue.ts";
import type { StepProps } from "./wizard-view.tsx";
import { wizardWords } from "./words.ts";

export function NameStep({ answers, answer }: StepProps) {
  const text = useText(wizardWords);
  const { server_name: present } = useStatus();
  return (
    <Card title={text("step_name")} lead={text("nameLead")}>
      <Field label={text("name")} help={text("nameHelp")}>
        <Input value={answers.name} onInput={(name) => answer({ name })} placeholder={present} />
      </Field>
    </Card>
  );
}
