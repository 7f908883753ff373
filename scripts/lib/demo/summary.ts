// The outcome of a demo: what `--json` prints, and what decides the exit code.

import type { Tally } from "./ledger.ts";

export interface Summary extends Tally {
  readonly link_cuts: number;
  readonly sources: { readonly mqtt: Tally; readonly serial: Tally };
  /** Most messages that waited in the outbox at a time. */
  readonly outbox_peak: number;
  /** How long the sources spoke. */
  readonly seconds: number;
  readonly hub_version: string | null;
  readonly ok: boolean;
  /** Only when the demo could not be played to its end. */
  readonly error?: string;
}

export interface Outcome {
  readonly mqtt: Tally;
  readonly serial: Tally;
  readonly linkCuts: number;
  readonly outboxPeak: number;
  readonly seconds: number;
  readonly hubVersion: string;
  /** Whether the outbox was empty in the end. */
  readonly isDrained: boolean;
}

export function summarise({ mqtt, serial, linkCuts, outboxPeak, seconds, hubVersion, isDrained }: Outcome): Summary {
  const total: Tally = {
    published: mqtt.published + serial.published,
    delivered: mqtt.delivered + serial.delivered,
    lost: mqtt.lost + serial.lost,
    duplicated: mqtt.duplicated + serial.duplicated,
  };
  const bothSpoke = mqtt.published > 0 && serial.published > 0;
  return {
    ...total,
    link_cuts: linkCuts,
    sources: { mqtt, serial },
    outbox_peak: outboxPeak,
    seconds: Math.round(seconds * 10) / 10,
    hub_version: hubVersion,
    ok: total.lost === 0 && total.duplicated === 0 && bothSpoke && linkCuts > 0 && isDrained,
  };
}

const NOTHING: Tally = { published: 0, delivered: 0, lost: 0, duplicated: 0 };

/** For a demo that was not played to its end: its counts would prove nothing. */
export function failedSummary(error: string): Summary {
  return {
    ...NOTHING,
    link_cuts: 0,
    sources: { mqtt: NOTHING, serial: NOTHING },
    outbox_peak: 0,
    seconds: 0,
    hub_version: null,
    ok: false,
    error,
  };
}
