// What every Disk promises, asked of the system's on a temporary folder and of the fake one alike. What only a fake can show
// (power cuts, ordered faults) follows at the end.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Disk, readWhole, removeIfThere, replaceWhole, systemDisk } from "#base/disk.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { tempFolder } from "../support/temp-folder.ts";

interface Ground extends AsyncDisposable {
  readonly disk: Disk;
  readonly folder: string;
}

const GROUNDS: Readonly<Record<string, () => Promise<Ground>>> = {
  async "the system's disk"() {
    const folder = await tempFolder("petiole-disk");
    return { disk: systemDisk(), folder: folder.path, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
  },
  async "the fake disk"() {
    const disk = new FakeDisk({ seed: 1 });
    await disk.makeDirectory("/work");
    return { disk, folder: "/work", [Symbol.asyncDispose]: async () => undefined };
  },
};

const bytes = (text: string) => Buffer.from(text);

async function put(disk: Disk, path: string, text: string): Promise<void> {
  await using file = await disk.open(path, "create");
  await file.write(bytes(text), 0);
}

async function textAt(disk: Disk, path: string): Promise<string | undefined> {
  return (await readWhole(disk, path, 1_000_000))?.toString();
}

for (const [name, open] of Object.entries(GROUNDS)) {
  describe(name, () => {
    test("reads back what was written, and fewer bytes only at the end of the file", async () => {
      await using ground = await open();
      await using file = await ground.disk.open(`${ground.folder}/a`, "create");
      await file.write(bytes("hello world"), 0);
      await file.write(bytes("W"), 6);
      const target = Buffer.alloc(20, ".");
      assert.equal(await file.read(target, 6), 5);
      assert.equal(target.toString(), `World${".".repeat(15)}`);
      assert.equal(await file.read(target, 11), 0);
      assert.equal(await file.read(target, 500), 0);
      assert.equal(await file.read(Buffer.alloc(0), 0), 0);
      assert.equal(await file.size(), 11);
    });

    test("fills a gap with zeros, whether a write or a truncate made it", async () => {
      await using ground = await open();
      await using file = await ground.disk.open(`${ground.folder}/a`, "create");
      await file.write(bytes("ab"), 0);
      await file.write(bytes("z"), 4);
      await file.truncate(7);
      const target = Buffer.alloc(7, ".");
      assert.equal(await file.read(target, 0), 7);
      assert.deepEqual([...target], [...bytes("ab\0\0z\0\0")]);
    });

    test("what a truncate cut off is gone, also when the file grows again", async () => {
      await using ground = await open();
      await using file = await ground.disk.open(`${ground.folder}/a`, "create");
      await file.write(bytes("abcdef"), 0);
      await file.truncate(2);
      assert.equal(await file.size(), 2);
      await file.write(bytes("z"), 4);
      const target = Buffer.alloc(5);
      await file.read(target, 0);
      assert.deepEqual([...target], [...bytes("ab\0\0z")]);
      await file.truncate(0);
      assert.equal(await file.size(), 0);
    });

    test("the caller may change a written buffer once the write has resolved", async () => {
      await using ground = await open();
      await using file = await ground.disk.open(`${ground.folder}/a`, "create");
      const source = bytes("abc");
      await file.write(source, 0);
      source.fill(0);
      await file.datasync();
      assert.equal(await textAt(ground.disk, `${ground.folder}/a`), "abc");
    });

    test("opens for reading and updating only what is there, creates only what is not", async () => {
      await using ground = await open();
      const path = `${ground.folder}/a`;
      await assert.rejects(ground.disk.open(path, "read"), { code: "ENOENT" });
      await assert.rejects(ground.disk.open(path, "update"), { code: "ENOENT" });
      await assert.rejects(ground.disk.open(`${ground.folder}/no/a`, "create"), { code: "ENOENT" });
      await put(ground.disk, path, "abc");
      await assert.rejects(ground.disk.open(path, "create"), { code: "EEXIST" });
      await using update = await ground.disk.open(path, "update");
      await update.write(bytes("X"), 1);
      await using read = await ground.disk.open(path, "read");
      await assert.rejects(read.write(bytes("Y"), 0), { code: "EBADF" });
      assert.equal(await textAt(ground.disk, path), "aXc");
    });

    test("two handles of one file see each other's bytes", async () => {
      await using ground = await open();
      await using writer = await ground.disk.open(`${ground.folder}/a`, "create");
      await using reader = await ground.disk.open(`${ground.folder}/a`, "read");
      await writer.write(bytes("now"), 0);
      const target = Buffer.alloc(3);
      assert.equal(await reader.read(target, 0), 3);
      assert.equal(target.toString(), "now");
    });

    test("a closed handle is closed twice in peace and answers no more", async () => {
      await using ground = await open();
      const file = await ground.disk.open(`${ground.folder}/a`, "create");
      await file[Symbol.asyncDispose]();
      await file[Symbol.asyncDispose]();
      await assert.rejects(file.write(bytes("x"), 0), { code: "EBADF" });
      await assert.rejects(file.datasync(), { code: "EBADF" });
    });

    test("a removed file lives on for those who have it open", async () => {
      await using ground = await open();
      const path = `${ground.folder}/a`;
      await put(ground.disk, path, "still here");
      await using file = await ground.disk.open(path, "read");
      await ground.disk.remove(path);
      assert.equal(await textAt(ground.disk, path), undefined);
      const target = Buffer.alloc(10);
      assert.equal(await file.read(target, 0), 10);
      assert.equal(target.toString(), "still here");
      await put(ground.disk, path, "another");
      assert.equal(await file.read(target, 0), 10);
      assert.equal(target.toString(), "still here");
    });

    test("lists names in order, folders among them", async () => {
      await using ground = await open();
      await put(ground.disk, `${ground.folder}/b`, "");
      await put(ground.disk, `${ground.folder}/a`, "");
      await ground.disk.makeDirectory(`${ground.folder}/c`);
      assert.deepEqual(await ground.disk.list(ground.folder), ["a", "b", "c"]);
      assert.deepEqual(await ground.disk.list(`${ground.folder}/c`), []);
      await assert.rejects(ground.disk.list(`${ground.folder}/d`), { code: "ENOENT" });
      await assert.rejects(ground.disk.list(`${ground.folder}/a`), { code: "ENOTDIR" });
    });

    test("makes a folder with its parents, twice in peace, but not over a file", async () => {
      await using ground = await open();
      await ground.disk.makeDirectory(`${ground.folder}/x/y/z`);
      await ground.disk.makeDirectory(`${ground.folder}/x/y/z`);
      assert.deepEqual(await ground.disk.list(`${ground.folder}/x/y`), ["z"]);
      await put(ground.disk, `${ground.folder}/f`, "");
      await assert.rejects(ground.disk.makeDirectory(`${ground.folder}/f`), { code: "EEXIST" });
      await assert.rejects(ground.disk.makeDirectory(`${ground.folder}/f/g`), { code: "ENOTDIR" });
    });

    test("renames over what stood there, and refuses to rename nothing", async () => {
      await using ground = await open();
      const [a, b] = [`${ground.folder}/a`, `${ground.folder}/b`];
      await put(ground.disk, a, "new");
      await put(ground.disk, b, "old");
      await ground.disk.rename(a, b);
      assert.deepEqual(await ground.disk.list(ground.folder), ["b"]);
      assert.equal(await textAt(ground.disk, b), "new");
      await ground.disk.rename(b, b);
      assert.equal(await textAt(ground.disk, b), "new");
      await assert.rejects(ground.disk.rename(a, b), { code: "ENOENT" });
    });

    test("removes files, not folders, and not what is not there", async () => {
      await using ground = await open();
      await ground.disk.makeDirectory(`${ground.folder}/d`);
      await assert.rejects(ground.disk.remove(`${ground.folder}/a`), { code: "ENOENT" });
      await assert.rejects(ground.disk.remove(`${ground.folder}/d`), { code: "EISDIR" });
      await removeIfThere(ground.disk, `${ground.folder}/a`);
    });

    test("syncs folders that are there", async () => {
      await using ground = await open();
      await ground.disk.syncDirectory(ground.folder);
      await assert.rejects(ground.disk.syncDirectory(`${ground.folder}/d`), { code: "ENOENT" });
    });

    test("says how much room there is", async () => {
      await using ground = await open();
      const { freeBytes, totalBytes } = await ground.disk.space(ground.folder);
      assert.ok(freeBytes > 0 && freeBytes <= totalBytes);
      await assert.rejects(ground.disk.space(`${ground.folder}/nowhere`), { code: "ENOENT" });
    });

    test("replaceWhole puts a whole file in place of another", async () => {
      await using ground = await open();
      await replaceWhole(ground.disk, ground.folder, "s", bytes("one"));
      await replaceWhole(ground.disk, ground.folder, "s", bytes("second"));
      assert.equal(await textAt(ground.disk, `${ground.folder}/s`), "second");
      assert.deepEqual(await ground.disk.list(ground.folder), ["s"]);
    });
  });
}

describe("a power cut of the fake disk", () => {
  /** What is at /d/a after `change` and a power cut, over many seeds. */
  async function outcomes(change: (disk: FakeDisk) => Promise<void>): Promise<Map<string | undefined, number>> {
    const found = new Map<string | undefined, number>();
    for (let seed = 1; seed <= 200; seed++) {
      const disk = new FakeDisk({ seed });
      await disk.makeDirectory("/d");
      await disk.syncDirectory("/");
      await put(disk, "/d/a", "old");
      await using file = await disk.open("/d/a", "update");
      await file.datasync();
      await disk.syncDirectory("/d");
      await change(disk);
      disk.powerCut();
      const text = await textAt(disk, "/d/a");
      found.set(text, (found.get(text) ?? 0) + 1);
    }
    return found;
  }

  async function overwrite(disk: FakeDisk, isSynced: boolean): Promise<void> {
    await using file = await disk.open("/d/a", "update");
    await file.write(bytes("new"), 0);
    if (isSynced) await file.datasync();
  }

  test("leaves synced bytes alone", async () => {
    assert.deepEqual([...(await outcomes((disk) => overwrite(disk, true))).keys()], ["new"]);
  });

  test("keeps, loses or tears unsynced bytes", async () => {
    const found = await outcomes((disk) => overwrite(disk, false));
    for (const text of ["old", "new", "nld", "ned", "\0\0\0"]) assert.ok(found.has(text), `never left ${JSON.stringify(text)}`);
  });

  test("mixes the sectors of a large unsynced write", async () => {
    const found = await outcomes(async (disk) => {
      await using file = await disk.open("/d/a", "update");
      await file.write(Buffer.alloc(2048, "n"), 0);
    });
    assert.ok(
      [...found.keys()].some((text) => /^old\0+n{512}/.test(text ?? "")),
      "the first sector was never lost alone",
    );
    assert.ok(
      [...found.keys()].some((text) => text?.length === 512),
      "it was never cut after the first sector",
    );
  });

  test("keeps or loses a created, a renamed and a removed name until the folder is synced", async () => {
    const removed = await outcomes((disk) => disk.remove("/d/a"));
    assert.deepEqual(new Set(removed.keys()), new Set(["old", undefined]));
    const renamed = await outcomes((disk) => replaceWithoutSync(disk));
    assert.deepEqual(new Set(renamed.keys()), new Set(["old", "two"]));
    const synced = await outcomes((disk) => replaceWhole(disk, "/d", "a", bytes("two")));
    assert.deepEqual([...synced.keys()], ["two"]);
  });

  async function replaceWithoutSync(disk: FakeDisk): Promise<void> {
    await put(disk, "/d/b", "two");
    await using file = await disk.open("/d/b", "update");
    await file.datasync();
    await disk.rename("/d/b", "/d/a");
  }

  test("loses a folder whose name was not synced, with all that is in it", async () => {
    const lost = new Set<boolean>();
    for (let seed = 1; seed <= 40; seed++) {
      const disk = new FakeDisk({ seed });
      await disk.makeDirectory("/d");
      await replaceWhole(disk, "/d", "a", bytes("x"));
      disk.powerCut();
      lost.add(disk.files().length === 0);
    }
    assert.deepEqual(lost, new Set([true, false]));
  });

  test("kills the life that was under way, for good, and no other", async () => {
    const disk = new FakeDisk({ seed: 3 });
    const first = disk.mount();
    await first.makeDirectory("/d");
    await first.syncDirectory("/");
    const file = await first.open("/d/a", "create");
    disk.powerCut();
    await assert.rejects(file.write(bytes("x"), 0), { code: "EIO" });
    await assert.rejects(first.list("/d"), { code: "EIO" });
    const second = disk.mount();
    assert.deepEqual(await second.list("/"), ["d"]);
    await assert.rejects(first.remove("/d/a"), { code: "EIO" });
  });

  test("strikes in the middle of the call it was ordered for, before or after its effect", async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 20; seed++) {
      const disk = new FakeDisk({ seed });
      const life = disk.mount();
      await life.makeDirectory("/d");
      await life.syncDirectory("/");
      await put(life, "/d/a", "1");
      disk.strikeAfter(2, "power");
      await life.list("/d");
      await assert.rejects(life.syncDirectory("/d"), { code: "EIO" });
      seen.add(disk.files().join());
    }
    assert.deepEqual(seen, new Set(["/d/a", ""]));
  });

  test("a killed process loses nothing but its open files", async () => {
    const disk = new FakeDisk({ seed: 3 });
    const life = disk.mount();
    await life.makeDirectory("/d");
    await using file = await life.open("/d/a", "create");
    await file.write(bytes("kept"), 0);
    disk.killProcess();
    await assert.rejects(file.size(), { code: "EIO" });
    assert.equal(await textAt(disk, "/d/a"), "kept");
  });
});

describe("ordered faults of the fake disk", () => {
  test("a full disk writes what fits, then refuses, and has room again when something is cut off", async () => {
    const disk = new FakeDisk();
    disk.totalBytes = 10;
    await using file = await disk.open("/a", "create");
    await assert.rejects(file.write(Buffer.alloc(12, "x"), 0), { code: "ENOSPC" });
    assert.equal(await file.size(), 10);
    assert.equal((await disk.space("/")).freeBytes, 0);
    await file.write(bytes("y"), 0); // no growth
    await file.truncate(4);
    assert.equal((await disk.space("/")).freeBytes, 6);
  });

  test("after a failed datasync the bytes are seen but never become durable", async () => {
    const disk = new FakeDisk({ seed: 5 });
    const file = await disk.open("/a", "create");
    await disk.syncDirectory("/");
    await file.write(bytes("lost"), 0);
    disk.faults.failDatasyncIn = 1;
    await assert.rejects(file.datasync(), { code: "EIO" });
    await file.datasync();
    assert.equal(await textAt(disk, "/a"), "lost");
    disk.powerCut();
    assert.equal(await textAt(disk, "/a"), "");
  });

  test("writes, folder syncs and reads fail when told to; a read-only disk changes nothing", async () => {
    const disk = new FakeDisk();
    await put(disk, "/a", "abc");
    await using file = await disk.open("/a", "update");
    disk.faults.failWriteIn = 2;
    await file.write(bytes("A"), 0);
    await assert.rejects(file.write(bytes("B"), 1), { code: "EIO" });
    disk.faults.failSyncDirectoryIn = 1;
    await assert.rejects(disk.syncDirectory("/"), { code: "EIO" });
    disk.faults.isUnreadable = (path, position) => path === "/a" && position === 2;
    await assert.rejects(file.read(Buffer.alloc(3), 0), { code: "EIO" });
    assert.equal(await file.read(Buffer.alloc(2), 0), 2);
    disk.faults.isReadOnly = true;
    await assert.rejects(disk.open("/b", "create"), { code: "EROFS" });
    await assert.rejects(disk.remove("/a"), { code: "EROFS" });
    await assert.rejects(file.write(bytes("x"), 0), { code: "EROFS" });
  });

  test("counts what reaches the disk", async () => {
    const disk = new FakeDisk();
    await using file = await disk.open("/a", "create");
    await file.write(Buffer.alloc(100), 0);
    await file.datasync();
    await disk.syncDirectory("/");
    assert.deepEqual(disk.counters, { writes: 1, writtenBytes: 100, datasyncs: 1, directorySyncs: 1, calls: 4 });
  });
});
