// What this device and this program are made of, for the page.

import { arch, hostname, release } from "node:os";
import { type Disk, readWhole } from "#base/disk.ts";
import { isFault } from "#base/errors.ts";
import type { KernelFiles } from "#base/kernel-files.ts";
import { COMMIT, VERSION } from "#version.ts";
import type { AboutDesk, SupervisorDesk } from "#web/server/desks.ts";

const licencesFile = "LICENSES.txt";
const sbomFile = "sbom.cdx.json";
const FILE_BYTES_MAX = 16 * 1024 * 1024;
/** As SECURITY.md promises. */
const SUPPORT =
  "The newest release gets fixes; update to it. No end of support has been set yet: SECURITY.md will name its date.";

export interface AboutDeps {
  readonly files: KernelFiles;
  readonly disk: Disk;
  /** Where LICENSES.txt and sbom.cdx.json lie; null: nowhere. */
  readonly programFolder: string | null;
  /** The environment: balena says there what its host is. */
  readonly hostOs: string | null;
  readonly supervisor: SupervisorDesk | null;
}

export function createAboutDesk({ files, disk, programFolder, hostOs, supervisor }: AboutDeps): AboutDesk {
  const fileOf = async (name: string) => (programFolder === null ? undefined : await tryRead(disk, `${programFolder}/${name}`));
  return {
    async view() {
      const names = programFolder === null ? [] : await tryList(disk, programFolder);
      const model = (await files.read("/proc/device-tree/model")) ?? (await files.read("/sys/class/dmi/id/product_name"));
      const os = /^PRETTY_NAME="?([^"\n]*)/m.exec((await files.read("/etc/os-release")) ?? "")?.[1];
      return {
        version: VERSION,
        commit: COMMIT,
        node: process.version,
        support: { until: null, text: SUPPORT },
        licences: names.includes(licencesFile) ? "/api/about/licences" : null,
        sbom: names.includes(sbomFile) ? "/api/about/sbom" : null,
        supervisor: (await supervisor?.state()) ?? null,
        device: {
          model: model?.replaceAll("\0", "").trim() || null,
          os: hostOs ?? os ?? null,
          kernel: release(),
          arch: arch(),
          hostname: hostname(),
        },
      };
    },
    licences: () => fileOf(licencesFile),
    sbom: () => fileOf(sbomFile),
  };
}

async function tryList(disk: Disk, folder: string): Promise<readonly string[]> {
  try {
    return await disk.list(folder);
  } catch (error) {
    if (!isFault(error)) throw error;
    return [];
  }
}

async function tryRead(disk: Disk, path: string): Promise<Buffer | undefined> {
  try {
    return await readWhole(disk, path, FILE_BYTES_MAX);
  } catch (error) {
    if (!isFault(error)) throw error;
    return undefined; // not for us: as if it were not there
  }
}
