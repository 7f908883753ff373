// What `petiole status` says of the page, read from the data directory: the claim code and the certificate's fingerprint are for who
// stands at the device, so they are in no report that can be fetched by a network.

import type { Disk } from "#base/disk.ts";
import { isFault } from "#base/errors.ts";
import { formatClaimCode, readClaimCode } from "#web/server/claim-code.ts";
import { fingerprintOf, ownCertificateFile } from "#web/server/own-certificate.ts";

export async function pageLines(disk: Disk, dataDir: string): Promise<string> {
  try {
    const code = await readClaimCode(disk, dataDir);
    const fingerprint = await fingerprintOf(disk, ownCertificateFile(dataDir));
    const claim = code === undefined ? "" : `page  no owner yet; claim code ${formatClaimCode(code)}\n`;
    return claim + (fingerprint === undefined ? "" : `page  own certificate, SHA-256 ${fingerprint}\n`);
  } catch (error) {
    if (!isFault(error)) throw error;
    return ""; // not for this user: the rest of the status is
  }
}
