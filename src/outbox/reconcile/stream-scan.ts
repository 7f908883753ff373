// Looks through a stream from a point in time on, headers only, with a pull consumer that leaves no trace.
//
//   CONSUMER.CREATE ─▶ num_pending: how many there are       more than may be looked at: where do the newest so many begin? bisect
//   MSG.NEXT 64, 128, … 1024 at a time ─▶ headers …  ─▶ until all are seen      404, 408: there are no more
//   CONSUMER.DELETE, or 30 s of silence
//
// The same on nats-server 2.10.27 and 2.15.1. A work queue refuses such a consumer (10084), and then nothing can be told.
// Tests: test/unit/outbox/reconcile/stream-scan.test.ts

import { type Millis, timestamp, type WallMillis } from "#base/clock.ts";
import { displaySubject } from "#core/subject.ts";
import type { ApiAnswer, JetStreamApi } from "./reconcile-api.ts";

export interface ScanTask {
  readonly stream: string;
  /** A name that nobody else uses. */
  readonly consumer: string;
  /** Subjects, latin1 form; none: all of the stream. */
  readonly filters: readonly string[];
  /** By the hub's calendar. */
  readonly since: WallMillis;
  readonly now: WallMillis;
  /** Messages that may be looked at, of this stream and of others at the same time; what this one takes is taken off. … */
  readonly allowance: { left: number };
  /** … and which, if there are more. */
  readonly prefers: "oldest" | "newest";
}

export interface Scanned {
  readonly scanned: number;
  /** Why it did not see all, in words; "" if it did. */
  readonly trouble: string;
}

const BATCH_MIN = 64;
const BATCH_MAX = 1024;
/** A batch that came quicker than this may be followed by one twice as large: a slow line must not be asked for more than it carries. */
const QUICK_MS: Millis = 1_000;
const INACTIVE_NANOS = 30e9;
/** Places tried in search of the newest that may be looked at. */
const BISECTIONS_MAX = 20;

export async function scanStream(api: JetStreamApi, task: ScanTask, onHeaders: (headers: string) => void): Promise<Scanned> {
  const all = await open(api, task, task.since);
  if ("trouble" in all) return { scanned: 0, trouble: all.trouble };
  const max = Math.min(all.pending, task.allowance.left);
  task.allowance.left -= max;
  const isCut = max < all.pending;
  const pending = isCut && task.prefers === "newest" ? await reopenAtNewest(api, task, max) : all.pending;
  const { scanned, trouble } = await pullAll(api, task, Math.min(pending, max), onHeaders);
  await close(api, task);
  const words = `it holds ${all.pending} messages since then, more than are looked at (the ${task.prefers} first)`;
  return { scanned, trouble: trouble === "" && isCut ? words : trouble };
}

async function open(
  api: JetStreamApi,
  task: ScanTask,
  since: WallMillis,
): Promise<{ readonly pending: number } | { readonly trouble: string }> {
  const created: ApiAnswer = await api.call(`CONSUMER.CREATE.${task.stream}.${task.consumer}`, {
    stream_name: task.stream,
    config: {
      name: task.consumer,
      ack_policy: "none",
      deliver_policy: "by_start_time",
      opt_start_time: timestamp(since),
      ...(task.filters.length === 0 ? {} : { filter_subjects: task.filters.map(displaySubject) }),
      headers_only: true,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: INACTIVE_NANOS,
    },
  });
  if (created.is === "failed") return { trouble: created.text };
  const pending = created.body["num_pending"];
  if (typeof pending !== "number" || !(pending >= 0)) return { trouble: "the hub does not tell how much there is" };
  return { pending };
}

async function close(api: JetStreamApi, { stream, consumer }: ScanTask): Promise<void> {
  await api.call(`CONSUMER.DELETE.${stream}.${consumer}`, null);
}

/** Returns how many lie ahead of the consumer: as many as may be looked at, or a good part of them; 0 if it cannot be found out. */
async function reopenAtNewest(api: JetStreamApi, task: ScanTask, max: number): Promise<number> {
  let tooEarly = task.since;
  let late = task.now;
  const leftMin = api.left / 2; // the rest is for reading
  for (let tries = 0; ; tries++) {
    const isLast = tries === BISECTIONS_MAX || api.left < leftMin;
    const place = isLast ? late : tooEarly + (late - tooEarly) / 2;
    await close(api, task);
    const opened = await open(api, task, place);
    if ("trouble" in opened) return 0;
    const { pending } = opened;
    if (isLast || (pending <= max && pending >= max / 2)) return pending;
    if (pending > max) tooEarly = place;
    else late = place;
  }
}

async function pullAll(
  api: JetStreamApi,
  task: ScanTask,
  wanted: number,
  onHeaders: (headers: string) => void,
): Promise<Scanned> {
  let scanned = 0;
  for (let batch = BATCH_MIN; scanned < wanted; ) {
    const size = Math.min(batch, wanted - scanned);
    const startedAt = api.now();
    const { seen, isEnd, trouble } = await pull(api, task, size, onHeaders);
    scanned += seen;
    if (trouble !== "" || isEnd) return { scanned, trouble };
    if (api.now() - startedAt < QUICK_MS) batch = Math.min(batch * 2, BATCH_MAX);
  }
  return { scanned, trouble: "" };
}

async function pull(api: JetStreamApi, task: ScanTask, size: number, onHeaders: (headers: string) => void) {
  let seen = 0;
  let isEnd = false;
  const trouble = await api.stream(
    `CONSUMER.MSG.NEXT.${task.stream}.${task.consumer}`,
    { batch: size, no_wait: true },
    (headers) => {
      isEnd = /^NATS\/1\.\d \d/.test(headers); // a status: 404, 408, or the consumer is gone
      if (isEnd) return true;
      seen += 1;
      onHeaders(headers);
      return seen === size;
    },
  );
  return { seen, isEnd, trouble };
}
