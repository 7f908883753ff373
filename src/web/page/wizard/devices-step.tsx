// What is connected: logins for MQTT, and devices on serial cables.

import { useText } from "../words/catalogue.ts";
import { MqttPart } from "./mqtt-part.tsx";
import { SerialPart } from "./serial-part.tsx";
import type { StepProps } from "./wizard-view.tsx";
import { wizardWords } from "./words.ts";

export function DevicesStep(props: StepProps) {
  const text = useText(wizardWords);
  return (
    <>
      <p class="view-lead">{text("devicesLead")}</p>
      <MqttPart {...props} />
      <SerialPart {...props} />
    </>
  );
}
