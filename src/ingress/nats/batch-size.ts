// How many messages a publisher hands over together: all of a chunk, unless hundreds listen. What one chunk then leaves waiting for
// its readers is bounded by smaller batches, since between two of them the publisher can be made to wait.

/** What a batch may leave waiting for its readers; one that leaves more is followed by smaller ones. */
const BATCH_PENDING_BYTES = 2 * 1024 * 1024;
const SMALL_BATCH = 16;

/** `count` messages left `pendingBytes` more waiting. Below SMALL_BATCH, as for a verbose client, nothing changes. */
export function nextBatchMax(batchMax: number, count: number, pendingBytes: number): number {
  if (batchMax < SMALL_BATCH) return batchMax;
  if (pendingBytes > BATCH_PENDING_BYTES) return Math.min(batchMax, Math.max(SMALL_BATCH, count >> 1));
  return pendingBytes < BATCH_PENDING_BYTES / 4 ? batchMax * 2 : batchMax;
}
