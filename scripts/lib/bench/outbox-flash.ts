// What a message costs the card while the link is down: each system on an ext4 of its own (a loop device), all measured the same way.
//
//   files    bytes its files grew by                        what the format costs
//   pages    /proc/PID/io write_bytes: pages made dirty     what the kernel is asked to write
//   device   sectors, after a sync, ext4's journal included what the card wears by

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { readIo } from "../../../test/support/io-counters.ts";
import { cannotMount, LoopDisk } from "../../../test/support/loop-disk.ts";
import { PAYLOAD_BYTES } from "./options.ts";
import { type Acked, leaveSession } from "./outbox-acks.ts";
import { hubPorts, type OutboxStage, type Running, startPeer, startSpoke } from "./outbox-systems.ts";
import { DEVICE } from "./systems.ts";
import { Worker } from "./worker.ts";

export const FLASH_RATE = 500;
const PUBLISHERS = 10;
const DISK_MEBIBYTES = 512;

export interface FlashRow {
  readonly system: string;
  /** `readings`: JSON that compresses; `noise`: random bytes. */
  readonly payload: "readings" | "noise";
  /** Bytes per byte of payload. */
  readonly files: number;
  readonly pages: number;
  readonly device: number;
  /** Cache flushes of the device a second. */
  readonly flushes: number;
}

/** Empty where nothing can be mounted. */
export async function measureFlash(
  stage: OutboxStage,
  options: { readonly seconds: number },
  signal: AbortSignal,
): Promise<FlashRow[]> {
  if (cannotMount !== undefined) return [];
  const nowhere = { ...stage, hubPorts: await hubPorts() };
  const peer = (synced: boolean) => async (store: string) => {
    const running = await startPeer(nowhere, { store, synced, mqtt: true });
    await leaveSession(running.port);
    return running;
  };
  const systems: readonly (readonly [string, (folder: string) => Promise<Running>])[] = [
    ["spoke", (dataDir) => startSpoke(nowhere, { dataDir })],
    ["nats-server", peer(false)],
    ["nats-server, sync always", peer(true)],
  ];
  const rows: FlashRow[] = [];
  for (const [system, start] of systems) {
    for (const payload of ["readings", "noise"] as const) {
      signal.throwIfAborted();
      rows.push({ system, payload, ...(await measureOne(stage, start, payload === "noise", options.seconds, signal)) });
    }
  }
  return rows;
}

async function measureOne(
  stage: OutboxStage,
  start: (folder: string) => Promise<Running>,
  noise: boolean,
  seconds: number,
  signal: AbortSignal,
): Promise<Omit<FlashRow, "system" | "payload">> {
  await using disk = await LoopDisk.mount({ type: "ext4", mebibytes: DISK_MEBIBYTES });
  const folder = path.join(disk.path, "data");
  await using running = await start(folder);
  await using load = await Worker.start("outbox-load-worker.ts", stage.cores, signal);
  await load.request("connect", { port: running.port, ...DEVICE, publishers: PUBLISHERS });
  await load.request<Acked>("pace", { rate: FLASH_RATE, seconds: 1, noise }); // files are born
  const look = async () => {
    await disk.sync();
    return { files: await bytesBelow(folder), pages: (await readIo(running.pid)).pageBytes, ...(await disk.figures()) };
  };
  const before = await look();
  const { acked } = await load.request<Acked>("pace", { rate: FLASH_RATE, seconds, noise });
  const after = await look();
  const each = (bytes: number) => bytes / (acked * PAYLOAD_BYTES);
  return {
    files: each(after.files - before.files),
    pages: each(after.pages - before.pages),
    device: each(after.bytesWritten - before.bytesWritten),
    flushes: (after.flushes - before.flushes) / seconds,
  };
}

async function bytesBelow(folder: string): Promise<number> {
  const found = await fs.readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(
    found
      .filter((each) => each.isFile())
      .map((each) =>
        fs.stat(path.join(each.parentPath, each.name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
