// Reads what can be read of a file on a failing card: where the whole cannot be had, its pieces, and zeros for those that refuse.
// Zeros never pass a checksum, so whoever reads records finds the hole by itself.

import type { DiskFile } from "#base/disk.ts";

/** What a flash card loses at once, at least. */
const PIECE_BYTES = 4096;
/** After so many refusals in one read the rest is given up: a dying card may take seconds for each. */
const REFUSALS_MAX = 16;

export interface Salvage {
  readonly bytesRead: number;
  /** Pieces that could not be read. */
  readonly refusals: number;
}

export async function salvageRead(file: DiskFile, target: Uint8Array, position: number): Promise<Salvage> {
  try {
    return { bytesRead: await file.read(target, position), refusals: 0 };
  } catch {
    return await readPieces(file, target, position); // the refusals are counted there
  }
}

async function readPieces(file: DiskFile, target: Uint8Array, position: number): Promise<Salvage> {
  let refusals = 0;
  for (let at = 0; at < target.length; ) {
    const end = Math.min(target.length, at + PIECE_BYTES - ((position + at) % PIECE_BYTES));
    const piece = target.subarray(at, end);
    try {
      if (refusals >= REFUSALS_MAX) piece.fill(0);
      else {
        const bytesRead = await file.read(piece, position + at);
        if (bytesRead < piece.length) return { bytesRead: at + bytesRead, refusals };
      }
    } catch {
      refusals += 1; // counted for the caller; there is nothing else to learn from it
      piece.fill(0);
    }
    at = end;
  }
  return { bytesRead: target.length, refusals };
}
