// Is there room, can we write, and does the card keep up? Tried with a file of our own in the data directory, removed at once.
//
// What is written is little (a card wears), and nothing where room is short: the daemon needs it more.

import { removeIfThere } from "#base/disk.ts";
import { diskFault } from "#base/disk-words.ts";
import { isFault, systemCode } from "#base/errors.ts";
import { freeReserveOf } from "#outbox/options.ts";
import { DOCTOR_DISK_FULL, DOCTOR_DISK_RESERVE, DOCTOR_DISK_SLOW, DOCTOR_DISK_UNUSABLE } from "../errors.ts";
import { troubleOf } from "../fault-words.ts";
import { broken, type Draft, fine, type Target, warning } from "../finding.ts";
import type { Probe } from "../probe.ts";
import type { Scene, Step } from "../scene.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** With less nothing can be kept, and nothing is tried. */
const FREE_BYTES_MIN = 2 * MIB;
/** Commits as the outbox makes them. */
const COMMITS = 8;
const COMMIT_BYTES = 4 * KIB;
/** In one go. */
const STREAM_BYTES = 512 * KIB;
/** A commit that takes longer makes every acknowledgement wait. A tired card has single ones of seconds; half of them count. */
const COMMIT_MS_MAX = 250;
const NAME = ".doctor";

export const diskStep: Step = {
  id: "disk",
  title: "the disk",
  async run(scene: Scene): Promise<readonly Draft[]> {
    const { probe } = scene;
    const about: Target = { target: probe.dataDir, ref: null };
    let room: { readonly freeBytes: number; readonly totalBytes: number };
    try {
      room = await probe.env.disk.space(probe.dataDir);
    } catch (error) {
      if (!isFault(error)) throw error;
      return [broken(about, unusable(`cannot look into the data directory ${probe.dataDir}`, error))];
    }
    const spaceDraft = judgeSpace(about, room, scene);
    if (room.freeBytes < FREE_BYTES_MIN && room.totalBytes > 0) return [await readOnlyOr(probe, about, spaceDraft)];
    return [spaceDraft, await tryToWrite(probe, about)];
  },
};

function judgeSpace(
  about: Target,
  { freeBytes, totalBytes }: { readonly freeBytes: number; readonly totalBytes: number },
  scene: Scene,
): Draft {
  const facts = { free_bytes: freeBytes, total_bytes: totalBytes };
  const words = `${mebibytes(freeBytes)} of ${mebibytes(totalBytes)} are free`;
  if (freeBytes < FREE_BYTES_MIN)
    return broken(
      about,
      {
        code: DOCTOR_DISK_FULL,
        detail: "ENOSPC",
        cause: `the disk of the data directory is full: ${words}`,
        remedy: "remove what does not belong there, or take a larger card; until then new readings displace old ones",
      },
      facts,
    );
  const outboxes = scene.status?.remotes.reduce((sum, { outbox }) => sum + outbox.flash_bytes, 0) ?? 0;
  const reserve =
    scene.config === undefined ? 0 : freeReserveOf(scene.config.outbox, { freeBytes, totalBytes, keptBytes: outboxes });
  if (freeBytes < reserve)
    return warning(
      about,
      {
        code: DOCTOR_DISK_RESERVE,
        cause: `the disk of the data directory has less room than is left to others: ${words}, outbox.free_reserve is ${mebibytes(reserve)}`,
        remedy:
          "remove what does not belong there, or lower outbox.free_reserve; until then nothing new is kept while the link is down",
      },
      facts,
    );
  return fine(about, words, facts);
}

/** On a disk without room: does it at least take a name? */
async function readOnlyOr(probe: Probe, about: Target, full: Draft): Promise<Draft> {
  const { disk } = probe.env;
  const path = `${probe.dataDir}/${NAME}`;
  try {
    await removeIfThere(disk, path);
    await using _file = await disk.open(path, "create");
  } catch (error) {
    if (!isFault(error)) throw error;
    if (systemCode(error) !== "ENOSPC")
      return broken(about, unusable(`cannot write into the data directory ${probe.dataDir}`, error));
  }
  await removeIfThere(disk, path).catch(() => undefined); // it may never have been there
  return full;
}

async function tryToWrite(probe: Probe, about: Target): Promise<Draft> {
  const { disk, clock } = probe.env;
  const path = `${probe.dataDir}/${NAME}`;
  const commits: number[] = [];
  let streamMs = 0;
  try {
    await removeIfThere(disk, path); // of a doctor that was ended in the middle
    {
      await using file = await disk.open(path, "create");
      const block = probe.env.entropy.bytes(COMMIT_BYTES);
      for (let i = 0; i < COMMITS; i++) {
        const startedAt = clock.now();
        await file.write(block, i * COMMIT_BYTES);
        await file.datasync();
        commits.push(clock.now() - startedAt);
      }
      const startedAt = clock.now();
      await file.write(probe.env.entropy.bytes(STREAM_BYTES), COMMITS * COMMIT_BYTES);
      await file.datasync();
      streamMs = clock.now() - startedAt;
    }
    await removeIfThere(disk, path); // another doctor may have cleared it away
  } catch (error) {
    await removeIfThere(disk, path).catch(() => undefined); // the first fault says it
    if (!isFault(error)) throw error;
    return broken(about, unusable(`cannot write into the data directory ${probe.dataDir}`, error));
  }
  const median = commits.sort((a, b) => a - b)[COMMITS >> 1]!;
  const facts = {
    commit_ms: Math.round(10 * median) / 10,
    commit_ms_worst: Math.round(10 * commits.at(-1)!) / 10,
    bytes_per_second: Math.round(STREAM_BYTES / (Math.max(0.1, streamMs) / 1000)),
  };
  if (median > COMMIT_MS_MAX)
    return warning(
      about,
      {
        code: DOCTOR_DISK_SLOW,
        cause: `the disk needs ${facts.commit_ms} ms to make one message safe, ${COMMIT_MS_MAX} ms or less are wanted`,
        remedy: "take a card for continuous use (industrial or A2), or see what else writes to it",
      },
      facts,
    );
  return fine(about, `the disk makes a message safe within ${facts.commit_ms} ms`, facts);
}

function unusable(action: string, error: unknown) {
  return troubleOf(diskFault(DOCTOR_DISK_UNUSABLE, action, error));
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}
