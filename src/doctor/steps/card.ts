// How worn is the flash? eMMC and some industrial cards tell; ordinary SD cards do not (ingress/host/readings/storage.ts).

import { wearReading } from "#ingress/host/readings/storage.ts";
import { DOCTOR_CARD_WORN } from "../errors.ts";
import { broken, DEVICE, type Draft, fine, skipped, warning } from "../finding.ts";
import { readingContext } from "../reading-context.ts";
import type { Scene, Step } from "../scene.ts";

const WORN_PERCENT = 80;
const DEAD_PERCENT = 100;

export const cardStep: Step = {
  id: "card",
  title: "the card's life",
  async run(scene: Scene): Promise<readonly Draft[]> {
    const values = await wearReading.read(readingContext(scene));
    const drafts: Draft[] = [];
    for (const { name, value } of values) {
      const used = /^(.+)_life_used$/.exec(name);
      const spare = /^(.+)_spare_blocks$/.exec(name);
      if (used !== null && typeof value === "number") drafts.push(ofLife(used[1]!, value));
      if (spare !== null && value !== "normal") drafts.push(ofSpare(spare[1]!, value === "urgent"));
    }
    return drafts.length > 0 ? drafts : [skipped(DEVICE, "no storage here tells how worn it is (ordinary SD cards do not)")];
  },
};

function ofLife(device: string, percent: number): Draft {
  const about = { target: device, ref: device };
  const facts = { life_used_percent: percent };
  if (percent < WORN_PERCENT) return fine(about, `${device} has used up to ${percent} % of its life`, facts);
  const trouble = {
    code: DOCTOR_CARD_WORN,
    cause:
      percent > DEAD_PERCENT
        ? `${device} is beyond the life it was made for`
        : `${device} has used up to ${percent} % of its life`,
    remedy: "replace it soon: a worn card turns read-only or loses data. Export the settings first (petiole export)",
  };
  return percent > DEAD_PERCENT ? broken(about, trouble, facts) : warning(about, trouble, facts);
}

function ofSpare(device: string, isUrgent: boolean): Draft {
  const about = { target: device, ref: device };
  const trouble = {
    code: DOCTOR_CARD_WORN,
    cause: `${device} has used ${isUrgent ? 90 : 80} % of its spare blocks`,
    remedy: "replace it soon: without spare blocks it turns read-only. Export the settings first (petiole export)",
  };
  return isUrgent ? broken(about, trouble) : warning(about, trouble);
}
