// Is the board held back, by a weak power supply or by heat? Under-voltage is the commonest killer of cards (ingress/host/readings/power.ts).

import { powerReading } from "#ingress/host/readings/power.ts";
import { DOCTOR_THROTTLED, DOCTOR_UNDER_VOLTAGE } from "../errors.ts";
import { broken, DEVICE, type Draft, fine, skipped, type Trouble, warning } from "../finding.ts";
import { readingContext } from "../reading-context.ts";
import type { Scene, Step } from "../scene.ts";

const SUPPLY = "use the power supply made for the board and a short cable, and take power-hungry USB devices off it";
const COOLING = "give it air, a heat sink or a fan, and keep it out of the sun";

export const powerStep: Step = {
  id: "power",
  title: "the power supply",
  async run(scene: Scene): Promise<readonly Draft[]> {
    const values = await powerReading.read(readingContext(scene));
    if (values.length === 0) return [skipped(DEVICE, "this board does not tell about its power supply")];
    const facts = Object.fromEntries(values.map(({ name, value }) => [name, value]));
    const is = (name: string) => facts[name] === true;
    const low: Trouble = {
      code: DOCTOR_UNDER_VOLTAGE,
      cause: "the board gets too little voltage at this moment",
      remedy: SUPPLY,
    };
    if (is("under_voltage")) return [broken(DEVICE, low, facts)];
    const drafts: Draft[] = [];
    const events = facts["over_current_events"];
    if (is("under_voltage_since_boot"))
      drafts.push(warning(DEVICE, { ...low, cause: "the board got too little voltage since it was switched on" }, facts));
    if (typeof events === "number" && events > 0)
      drafts.push(
        warning(DEVICE, { ...low, cause: `the board drew too much current ${events} times since it was switched on` }, facts),
      );
    if (is("throttled") || is("temperature_limited"))
      drafts.push(
        warning(DEVICE, { code: DOCTOR_THROTTLED, cause: "the board is too hot and slows down", remedy: COOLING }, facts),
      );
    else if (is("throttled_since_boot") || is("temperature_limited_since_boot"))
      drafts.push(
        warning(
          DEVICE,
          { code: DOCTOR_THROTTLED, cause: "the board was too hot and slowed down since it was switched on", remedy: COOLING },
          facts,
        ),
      );
    return drafts.length > 0 ? drafts : [fine(DEVICE, "the power supply holds", facts)];
  },
};
