// Keeps an outbox within the limits its owner set: age, bytes, count, and the free space that must remain on the disk.
// The oldest go first, a whole segment at a time, each counted with its range (`when_full: drop_oldest`).

import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import type { Log } from "#base/log.ts";
import type { Lane } from "./lane.ts";
import type { Losses } from "./losses.ts";
import type { OutboxOptions } from "./options.ts";

/** 2026-01-01: a board that started without a clock stamps earlier than this; such times say nothing about age. */
const CLOCK_FLOOR: WallMillis = 1_767_225_600_000;

/** Is a message captured at `time` older than its owner wants to keep? */
export function isExpired(time: WallMillis, now: WallMillis, maxAge: Millis): boolean {
  return time > CLOCK_FLOOR && time < now - maxAge;
}

export async function keepWithinLimits(
  lane: Lane,
  options: OutboxOptions,
  losses: Losses,
  env: { readonly clock: Clock; readonly disk: Disk; readonly log: Log; readonly directory: string },
): Promise<void> {
  for (;;) {
    const reason = await breachedLimit(lane, options, env);
    if (reason === undefined || !(await dropOldest(lane, losses, env.log, reason))) return;
  }
}

/** No space is left on the disk, whatever filled it: the oldest segment goes, so that new messages can be made safe. */
export async function makeRoom(lane: Lane, _options: OutboxOptions, losses: Losses, env: { readonly log: Log }): Promise<void> {
  await dropOldest(lane, losses, env.log, { counted: "displaced", text: "the disk is full" });
}

interface Reason {
  readonly counted: "displaced" | "expired";
  readonly text: string;
}

/** False when there is nothing to drop. */
async function dropOldest(lane: Lane, losses: Losses, log: Log, reason: Reason): Promise<boolean> {
  const dropped = await lane.dropOldest();
  if (dropped === undefined) return false;
  if (dropped.records === 0) return true; // all of it was confirmed: no loss
  losses.add(reason.counted, dropped.records, dropped.fromSeq, dropped.throughSeq);
  log.warn(`outbox: ${dropped.records} of the oldest messages were dropped: ${reason.text}`, {
    from_seq: dropped.fromSeq,
    through_seq: dropped.throughSeq,
  });
  return true;
}

async function breachedLimit(
  lane: Lane,
  options: OutboxOptions,
  env: { readonly clock: Clock; readonly disk: Disk; readonly directory: string },
): Promise<Reason | undefined> {
  const { journal } = lane;
  if (journal.records === 0) return undefined;
  const { oldestTime } = journal;
  if (oldestTime !== undefined && isExpired(oldestTime, env.clock.wall(), options.maxAge)) {
    return { counted: "expired", text: "older than outbox.max_age" };
  }
  if (journal.bytes > options.maxBytes)
    return { counted: "displaced", text: `outbox.max_bytes (${options.maxBytes}) is reached` };
  if (journal.records > options.maxMessages)
    return { counted: "displaced", text: `outbox.max_messages (${options.maxMessages}) is reached` };
  const { freeBytes } = await env.disk.space(env.directory);
  if (freeBytes < options.freeReserve) {
    return {
      counted: "displaced",
      text: `the disk has ${freeBytes} bytes free, outbox.free_reserve wants ${options.freeReserve}`,
    };
  }
  return undefined;
}
