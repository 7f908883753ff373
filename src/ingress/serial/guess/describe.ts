// A proposal as it is shown: how sure, why, what to write into the settings, and what would be published of the first frames.

import { decode } from "#base/decode.ts";
import { type SerialPortOptions, serialPortOptions } from "../options.ts";
import { PortReader, type ReadMessage } from "../port-reader.ts";
import type { Proposal } from "./guess-line.ts";
import type { SettingsJson } from "./interpretation.ts";
import { playChunks } from "./play-chunks.ts";
import { ReplayClock } from "./replay-clock.ts";
import { type BlockPlace, nameFor, settingsBlock } from "./settings-block.ts";

/** Proposals shown, the surest first. */
const SHOWN_MAX = 3;
const PREVIEW_MAX = 5;

/** One message of the preview, or what was wrong with a frame. */
export type PreviewLine = ReadMessage | { readonly fault: string };

export interface Description {
  /** 0 … 1 */
  readonly confidence: number;
  readonly why: string;
  /** For `serial` of the settings. */
  readonly serial: SettingsJson;
  readonly preview: readonly PreviewLine[];
}

export function describeProposals(proposals: readonly Proposal[], place: BlockPlace): readonly Description[] {
  return proposals.slice(0, SHOWN_MAX).map((proposal) => {
    const { score, why, settings } = proposal;
    const serial = settingsBlock(nameFor(place.path), place, settings, proposal);
    return { confidence: Math.round(score * 100) / 100, why, serial, preview: previewOf(proposal, serial) };
  });
}

function previewOf({ bytes }: Proposal, serial: SettingsJson): readonly PreviewLine[] {
  const decoded = decode(serialPortOptions, { ...serial, match: { path: "/dev/null" } }); // any path: nothing is opened
  if (!("value" in decoded)) return [];
  const lines = readOnce(bytes, decoded.value);
  const good = lines.filter((line) => !("fault" in line)); // the first frame may have begun before we listened
  return (good.length === 0 ? lines : good).slice(0, PREVIEW_MAX);
}

function readOnce(bytes: Buffer, port: SerialPortOptions): readonly PreviewLine[] {
  const lines: PreviewLine[] = [];
  const clock = new ReplayClock(0);
  const reader = new PortReader(
    port,
    {
      onFrame(_frame, messages, fault) {
        lines.push(...messages, ...(fault === undefined ? [] : [{ fault: `cannot decode: ${fault}` }]));
      },
      onPassed: (what) => void lines.push({ fault: what }),
    },
    clock,
  );
  playChunks([{ at: 0, bytes }], reader, clock);
  return lines;
}
