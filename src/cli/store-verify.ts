// The part of `petiole outbox verify` that walks what MQTT keeps: sessions and retained messages, in `<data>/mqtt`.

import { isFault, systemCode } from "#base/errors.ts";
import { type StoreVerdict, verifyStore } from "#store/verify-store.ts";
import { keyOf, notReadable, type OutboxPlace } from "./outbox-places.ts";
import { printable } from "./printable.ts";
import { formatBytes } from "./status.ts";

export interface StoreReport {
  readonly is_fine: boolean;
  readonly keys: number;
  readonly live_bytes: number;
  readonly bytes: number;
  readonly segments: number;
  readonly damage: readonly { readonly file: string; readonly from: number; readonly to: number }[];
  /** Segments that cannot be looked into, and why. */
  readonly closed: StoreVerdict["closed"];
  /** Records of a later version. */
  readonly unknown: number;
  readonly tail_bytes: number;
}

const REMEDIES = {
  sealed: "it is encrypted with a key that is not here; put the key file back",
  newer: "a later version of petiole wrote it; update to that version",
  unreadable: "the disk refuses to read it; check the card and its cable, then the system's log",
} as const;

/** null: there is none. */
export async function verifyMqttStore(place: OutboxPlace): Promise<StoreReport | null> {
  const directory = `${place.dataDir}/mqtt`;
  const key = await keyOf(place, [`${place.dataDir}/secrets`]);
  try {
    const verdict = await verifyStore(place.disk, directory, {
      key,
      ...(place.packer === undefined ? {} : { packer: place.packer }),
    });
    return {
      is_fine: verdict.isFine,
      keys: verdict.keys,
      live_bytes: verdict.liveBytes,
      bytes: verdict.fileBytes,
      segments: verdict.segments,
      damage: verdict.damaged.map(({ file, from, to }) => ({ file, from, to })),
      closed: verdict.closed,
      unknown: verdict.unknown,
      tail_bytes: verdict.tailBytes,
    };
  } catch (cause) {
    if (!isFault(cause)) throw cause;
    if (systemCode(cause) === "ENOENT") return null;
    throw notReadable(directory, cause);
  }
}

/** For people, a line each. */
export function storeLines({ is_fine, keys, segments, bytes, damage, closed, unknown }: StoreReport): string[] {
  const lines = [
    `mqtt store  ${is_fine ? "fine" : "damaged"}  ${segments} segments, ${keys} sessions, retained messages and their parts  ${formatBytes(bytes)}`,
  ];
  for (const { file, from, to } of damage)
    lines.push(`    ${printable(file)}: bytes ${from} to ${to} are no records: what stood there last is lost`);
  for (const { name, is } of closed) lines.push(`    ${printable(name)} is ${is}: ${REMEDIES[is]}`);
  if (unknown > 0) lines.push(`    ${unknown} records of a later version are kept and not used: update to that version`);
  return lines;
}
