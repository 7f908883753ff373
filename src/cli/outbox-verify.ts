// `petiole outbox verify`: walks every byte of every segment, of what MQTT keeps, too, and says which are fine and what is wrong with the others.

import {
  findOutboxes,
  inspectLanes,
  inspectLedger,
  type LaneFolder,
  type OutboxFolder,
  type OutboxPlace,
} from "./outbox-places.ts";
import { printable } from "./printable.ts";
import { formatBytes } from "./status.ts";
import { type StoreReport, storeLines, verifyMqttStore } from "./store-verify.ts";

/** Exit codes of the command. */
export const VERIFY_FINE = 0;
export const VERIFY_FAULTS = 1;

export interface VerifyReport {
  readonly ok: boolean;
  readonly segments: readonly VerifiedSegment[];
  /** Bytes at the end of newest segments that hold nothing whole: being written, or torn by a power cut. Never acknowledged. */
  readonly tails: readonly { readonly remote: string; readonly class: string; readonly bytes: number }[];
  /** Files that are no segments: set aside as damaged, or none of ours. */
  readonly others: readonly { readonly remote: string; readonly class: string; readonly name: string }[];
  readonly ledger_faults: readonly { readonly remote: string; readonly fault: string }[];
  /** What MQTT keeps; null: nothing, or one remote was asked for. */
  readonly mqtt_store: StoreReport | null;
}

export interface VerifiedSegment {
  readonly remote: string;
  readonly class: string;
  readonly name: string;
  /** `fine`; `damaged`: some of it is rotten; `sealed`: encrypted, and the key is not here; `newer`; `unreadable`. */
  readonly is: "fine" | "damaged" | "sealed" | "newer" | "unreadable";
  readonly records: number;
  readonly waiting: number;
  readonly first_seq: number;
  readonly last_seq: number;
  readonly bytes: number;
  readonly damage: readonly {
    readonly from: number;
    readonly to: number;
    readonly from_seq: number;
    readonly through_seq: number | null;
  }[];
}

const REMEDIES = {
  damaged: "what can be read of it is sent, the rest counts as corrupted; where it happens again, replace the card",
  sealed: "it is encrypted with a key that is not here; put the key file back",
  newer: "a later version of petiole wrote it; update to that version, and it is sent",
  unreadable: "the disk refuses to read it; check the card and its cable, then the system's log",
} as const;

export async function verifyOutboxes(place: OutboxPlace): Promise<VerifyReport> {
  const segments: VerifiedSegment[] = [];
  const tails: { remote: string; class: string; bytes: number }[] = [];
  const others: { remote: string; class: string; name: string }[] = [];
  const ledgerFaults: { remote: string; fault: string }[] = [];
  for (const folder of await findOutboxes(place)) {
    const { remote } = folder;
    for (const lane of await inspectLanes(place, folder)) {
      const at = { remote, class: lane.urgency };
      segments.push(...verifyLane(folder, lane));
      if (lane.journal.tailBytes > 0) tails.push({ ...at, bytes: lane.journal.tailBytes });
      others.push(...lane.journal.others.map((name) => ({ ...at, name })));
    }
    const { faults } = await inspectLedger(place, folder);
    ledgerFaults.push(...faults.map((fault) => ({ remote, fault })));
  }
  const store = place.remote === undefined ? await verifyMqttStore(place) : null;
  const ok = segments.every((segment) => segment.is === "fine") && ledgerFaults.length === 0 && store?.is_fine !== false;
  return { ok, segments, tails, others, ledger_faults: ledgerFaults, mqtt_store: store };
}

export function verifyExitCode({ ok }: VerifyReport): number {
  return ok ? VERIFY_FINE : VERIFY_FAULTS;
}

/** For people; ends with a line break. */
export function formatVerify(report: VerifyReport): string {
  const { segments, tails, others, ledger_faults } = report;
  const lines: string[] = [];
  for (const segment of segments) {
    const { remote, class: urgency, name, is, records, waiting, first_seq, last_seq, bytes, damage } = segment;
    const numbers = records === 0 ? "no records" : `${records} records (${first_seq} to ${last_seq}), ${waiting} waiting`;
    lines.push(`${printable(remote)} ${urgency.padEnd(9)}  ${is.padEnd(10)}  ${name}  ${numbers}  ${formatBytes(bytes)}`);
    for (const { from, to, from_seq, through_seq } of damage)
      lines.push(`    bytes ${from} to ${to} are no records: lost are messages among ${from_seq} to ${through_seq ?? "?"}`);
    if (is !== "fine") lines.push(`    ${REMEDIES[is]}`);
  }
  for (const { remote, class: urgency, bytes } of tails)
    lines.push(
      `${printable(remote)} ${urgency}: ${formatBytes(bytes)} at the end are being written, or were torn: never acknowledged`,
    );
  for (const { remote, class: urgency, name } of others)
    lines.push(
      name.endsWith(".damaged")
        ? `${printable(remote)} ${urgency}: ${printable(name)} was set aside, nothing in it could be read; remove it when you like`
        : `${printable(remote)} ${urgency}: ${printable(name)} is none of ours, left alone`,
    );
  for (const { remote, fault } of ledger_faults) lines.push(`${printable(remote)}: ${fault}`);
  if (report.mqtt_store !== null) lines.push(...storeLines(report.mqtt_store));
  const bad = segments.filter(({ is }) => is !== "fine").length;
  const records = segments.reduce((sum, segment) => sum + segment.records, 0);
  lines.push(
    bad === 0
      ? `${segments.length} segments, ${records} records: all fine`
      : `${bad} of ${segments.length} segments are not fine`,
  );
  return `${lines.join("\n")}\n`;
}

function verifyLane({ remote }: OutboxFolder, { urgency, journal }: LaneFolder): VerifiedSegment[] {
  return journal.segments.map((segment) => ({
    remote,
    class: urgency,
    name: segment.name,
    is: segment.is,
    records: segment.records,
    waiting: segment.live,
    first_seq: segment.firstSeq,
    last_seq: segment.lastSeq,
    bytes: segment.fileBytes,
    damage: journal.damaged
      .filter(({ file }) => file === segment.name)
      .map(({ from, to, fromSeq, throughSeq }) => ({ from, to, from_seq: fromSeq, through_seq: throughSeq ?? null })),
  }));
}
