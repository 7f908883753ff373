// The claim code: who has it may make the first owner, and nobody may anything before. 80 random bits, shown on the device alone.
//
//   first boot ─▶ secrets/claim-code (0600), one line in the log ─▶ typed into the page ─▶ the first owner; the file is gone

import { type Disk, ensureDirectory, readWhole, removeIfThere, replaceWhole } from "#base/disk.ts";
import { type Entropy, randomToken } from "#base/entropy.ts";
import { isSameText } from "./sessions.ts";

const FILE = "claim-code";
/** Of 5 bits each. */
const LETTERS = 16;
const CODE = /^[0-9a-hjkmnp-tv-z]{16}$/;
const FILE_BYTES_MAX = 256;

/** The code, if there is one. Changes nothing. */
export async function readClaimCode(disk: Disk, dataDir: string): Promise<string | undefined> {
  const text = normalized((await readWhole(disk, `${dataDir}/secrets/${FILE}`, FILE_BYTES_MAX))?.toString("latin1") ?? "");
  return CODE.test(text) ? text : undefined;
}

export async function openClaimCode(
  disk: Disk,
  dataDir: string,
  entropy: Entropy,
): Promise<{ readonly code: string; readonly isNew: boolean }> {
  const known = await readClaimCode(disk, dataDir);
  if (known !== undefined) return { code: known, isNew: false };
  const code = randomToken(entropy, LETTERS);
  await ensureDirectory(disk, `${dataDir}/secrets`);
  await replaceWhole(disk, `${dataDir}/secrets`, FILE, Buffer.from(`${formatClaimCode(code)}\n`));
  return { code, isNew: true };
}

export async function removeClaimCode(disk: Disk, dataDir: string): Promise<void> {
  await removeIfThere(disk, `${dataDir}/secrets/${FILE}`);
  await disk.syncDirectory(`${dataDir}/secrets`);
}

/** `ab3d-92kf-…`: groups of four are easier to read aloud and to type. */
export function formatClaimCode(code: string): string {
  return code.match(/.{4}/g)!.join("-");
}

/** As people type it: capitals, blanks, dashes, and letters that look like digits. */
export function isClaimCode(typed: string, code: string): boolean {
  return isSameText(normalized(typed), code);
}

function normalized(text: string): string {
  return text.toLowerCase().replaceAll(/[\s-]/g, "").replaceAll("o", "0").replaceAll(/[il]/g, "1");
}
