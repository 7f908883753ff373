// What `petiole status` says of the page, read from the data directory: the claim code and the certificate's fingerprint are for who
// stands at the device, so they are in no report that can be fetched by a network.

import type { Disk } from "#base/disk.ts";
import { isFault } from "#base/errors.ts";
import { formatClaimCode, readClaimCode } from "#web/server/claim-code.ts";
import { fingerprintOf, ownCertificateFile } from "#web/server/own-certificate.ts";

/** null: there is none, or it is not for this user to know. */
export interface PageAccess {
  readonly claim_code: string | null;
  readonly fingerprint: string | null;
}

export async function pageAccess(disk: Disk, dataDir: string): Promise<PageAccess> {
  try {
    const code = await readClaimCode(disk, dataDir);
    const fingerprint = await fingerprintOf(disk, ownCertificateFile(dataDir));
    return { claim_code: code === undefined ? null : formatClaimCode(code), fingerprint: fingerprint ?? null };
  } catch (error) {
    if (!isFault(error)) throw error;
    return { claim_code: null, fingerprint: null }; // not for this user: the rest of the status is
  }
}

export function formatPageAccess({ claim_code, fingerprint }: PageAccess): string {
  const claim = claim_code === null ? "" : `page  no owner yet; claim code ${claim_code}\n`;
  return claim + (fingerprint === null ? "" : `page  own certificate, SHA-256 ${fingerprint}\n`);
}
