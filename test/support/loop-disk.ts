// A small file system of a test's own, with the faults real cards have: it fills up, it turns read-only, it counts what is written to it.
//
//   test ─┬─ holder: unshare --mount ─ mounts the disk, then waits for its input to end
//         └─ /proc/<holder>/root/<folder> ── the same disk, seen from here ──▶ data directory of the daemon under test
//
// The mount lives in the holder's mount namespace alone. However the test ends, the holder's input ends with it, and the kernel takes
// the mount and its loop device away with the last process that uses them. Needs root, as every mount does.

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { runCommand, tryCommand } from "../../scripts/lib/command.ts";
import { SpawnedProcess } from "./processes.ts";
import { tempFolder } from "./temp-folder.ts";

export interface DiskSetup {
  /** `tmpfs`: pages are counted the moment they are written; `ext4`: on a loop device, with a journal and delayed allocation. */
  readonly type: "tmpfs" | "ext4";
  readonly mebibytes: number;
}

export interface DeviceFigures {
  readonly bytesWritten: number;
  /** Cache flushes: what a card is told at each sync. */
  readonly flushes: number;
}

const SECTOR_BYTES = 512;
/** Nothing is to be written later by the file system itself; and what it cannot do, it stops doing, as a worn card's does. */
const EXT4 = ["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", "-m", "0"];
const EXT4_MOUNT = "loop,noatime,errors=remount-ro";
const FILLER_CHUNK = 64 * 1024;

/** Why no test can mount anything here; undefined where it can. */
export const cannotMount: string | undefined = process.getuid?.() === 0 ? undefined : "mounting a file system needs root";

export class LoopDisk implements AsyncDisposable {
  /** The disk's own root, to be given to a daemon as it stands. */
  readonly path: string;
  readonly #holder: SpawnedProcess;
  readonly #mountPoint: string;
  /** Such as `loop3`; empty for a tmpfs. */
  readonly #device: string;
  readonly #scope: AsyncDisposableStack;

  static async mount({ type, mebibytes }: DiskSetup): Promise<LoopDisk> {
    await using scope = new AsyncDisposableStack();
    const folder = scope.use(await tempFolder("petiole-disk")).path;
    const mountPoint = path.join(folder, "disk");
    await fs.mkdir(mountPoint);
    const image = path.join(folder, "image");
    let mount = `mount -t tmpfs -o size=${mebibytes}m tmpfs ${mountPoint}`;
    if (type === "ext4") {
      await using file = await fs.open(image, "w");
      await file.truncate(mebibytes * 1024 * 1024);
      await runCommand("mkfs.ext4", [...EXT4, image]);
      mount = `mount -t ext4 -o ${EXT4_MOUNT} ${image} ${mountPoint}`;
    }
    const script = `set -e; ${mount}; echo "mounted $(findmnt -no SOURCE ${mountPoint})"; exec cat > /dev/null`;
    const holder = scope.use(await SpawnedProcess.start("unshare", ["--mount", "--propagation", "private", "sh", "-c", script]));
    const [, source] = await holder.says(/^mounted (\S+)$/m);
    const device = type === "ext4" ? path.basename(source!) : "";
    return new LoopDisk(holder, mountPoint, device, scope.move());
  }

  private constructor(holder: SpawnedProcess, mountPoint: string, device: string, scope: AsyncDisposableStack) {
    this.path = `/proc/${holder.pid}/root${mountPoint}`;
    this.#holder = holder;
    this.#mountPoint = mountPoint;
    this.#device = device;
    this.#scope = scope;
  }

  /** Resolves when the file system has handed everything it holds back to the device. */
  async sync(): Promise<void> {
    await runCommand("sync", ["--file-system", this.path]);
  }

  /** Since the device came to be: whoever wrote, and whatever, metadata included. */
  async figures(): Promise<DeviceFigures> {
    const fields = (await fs.readFile(`/sys/block/${this.#device}/stat`, "latin1")).trim().split(/\s+/).map(Number);
    return { bytesWritten: fields[6]! * SECTOR_BYTES, flushes: fields[15] ?? Number.NaN };
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await fs.statfs(this.path);
    return bavail * bsize;
  }

  /** A stranger's file takes all the room there is, or all but so much. */
  async fill(leaveBytes = 0): Promise<void> {
    await using file = await fs.open(path.join(this.path, "foreign.bin"), "a");
    const chunk = Buffer.alloc(FILLER_CHUNK, "foreign");
    for (;;) {
      const room = (await this.freeBytes()) - leaveBytes;
      if (room <= 0) return;
      try {
        await file.write(chunk.subarray(0, Math.max(1, Math.min(room, chunk.length))));
        await file.datasync(); // delayed allocation would promise room that is not there
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOSPC") return;
        throw error;
      }
    }
  }

  /** The stranger's file is gone. */
  async unfill(): Promise<void> {
    await fs.rm(path.join(this.path, "foreign.bin"), { force: true });
    await this.sync();
  }

  /** False: refused, because a file is open for writing. */
  async remount(mode: "ro" | "rw"): Promise<boolean> {
    const inside = ["--mount", "--target", String(this.#holder.pid), "mount", "-o", `remount,${mode}`, this.#mountPoint];
    const { code } = await tryCommand("nsenter", inside);
    return code === 0;
  }

  /** The kernel finds the file system broken and makes it read-only under whoever is writing. For good: no remount brings it back. */
  async breakIt(): Promise<void> {
    await fs.writeFile(`/sys/fs/ext4/${this.#device}/trigger_fs_error`, "a test wants it");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.endInput();
    await this.#scope.disposeAsync();
  }
}
