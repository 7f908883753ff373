import assert from "node:assert/strict";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { findHolder, type LockPlaces, writeLockFile } from "#ingress/serial/device-lock.ts";
import { type TempFolder, tempFolder } from "../../../support/temp-folder.ts";

const DEVICE = "/dev/ttyUSB0";

/** Processes of the mind. */
async function bench(): Promise<{
  folder: TempFolder;
  places: LockPlaces;
  run: (id: number, name: string, ...open: string[]) => Promise<void>;
}> {
  const folder = await tempFolder("petiole-lock");
  const places = { proc: `${folder.path}/proc`, lockFolder: `${folder.path}/lock` };
  await mkdir(places.lockFolder);
  await mkdir(places.proc);
  await writeFile(`${places.proc}/locks`, "");
  const run = async (id: number, name: string, ...open: string[]) => {
    await mkdir(`${places.proc}/${id}/fd`, { recursive: true });
    await writeFile(`${places.proc}/${id}/comm`, `${name}\n`);
    for (const [i, path] of open.entries()) await symlink(path, `${places.proc}/${id}/fd/${i}`);
  };
  return { folder, places, run };
}

test("a program that merely has the device open is found and named", async () => {
  const { folder, places, run } = await bench();
  await using _ = folder;
  await run(700, "sshd", "/dev/null", "socket:[12]");
  assert.equal(await findHolder(DEVICE, places), undefined);
  await run(812, "getty\u001b[1m", "/dev/null", DEVICE);
  assert.equal(await findHolder(DEVICE, places), "getty?[1m (process 812)");
});

test("a program that an interpreter runs has its own name, not the interpreter's", async () => {
  const { folder, places, run } = await bench();
  await using _ = folder;
  await run(812, "node-MainThread", DEVICE);
  assert.equal(await findHolder(DEVICE, places), "MainThread (process 812)", "nothing better is known");
  for (const [comm, words, name] of [
    ["node-MainThread", ["node", "--flag=1", "/usr/lib/petiole/petiole.js", "run"], "petiole"],
    ["python3", ["/usr/bin/python3", "/home/x/read_gps.py"], "read_gps.py"],
    ["bash", ["-bash", ""], "bash"],
    ["minicom", ["minicom", "-D", DEVICE], "minicom"],
  ] as const) {
    await writeFile(`${places.proc}/812/comm`, `${comm}\n`);
    await writeFile(`${places.proc}/812/cmdline`, words.join("\0"));
    assert.equal(await findHolder(DEVICE, places), `${name} (process 812)`);
  }
});

test("a lock file of a living program that has the device open is honoured, in both of its forms", async () => {
  const { folder, places, run } = await bench();
  await using _ = folder;
  await run(812, "minicom", DEVICE);
  await writeFile(`${places.lockFolder}/LCK..ttyUSB0`, "       812\n");
  assert.equal(await findHolder(DEVICE, places), "minicom (process 812)");
  const binary = Buffer.alloc(4);
  binary.writeInt32LE(812);
  await writeFile(`${places.lockFolder}/LCK..ttyUSB0`, binary);
  assert.equal(await findHolder(DEVICE, places), "minicom (process 812)");
});

test("a stale lock file holds nobody up: its process is gone, is another by now, or was never written", async () => {
  const { folder, places, run } = await bench();
  await using _ = folder;
  await run(900, "cron", "/dev/null"); // has the number that minicom had
  for (const text of ["       812\n", "900", `${process.pid}`, "", "garbage", "-4", "99999999999999999999"]) {
    await writeFile(`${places.lockFolder}/LCK..ttyUSB0`, text);
    assert.equal(await findHolder(DEVICE, places), undefined, JSON.stringify(text));
    {
      await using _lock = await writeLockFile(DEVICE, places);
      assert.equal(await readFile(`${places.lockFolder}/LCK..ttyUSB0`, "utf8"), `${String(process.pid).padStart(10)}\n`);
    }
    assert.deepEqual(await readdir(places.lockFolder), [], "taken away, and nothing left beside it");
  }
});

test("somebody else's good lock file is left alone", async () => {
  const { folder, places, run } = await bench();
  await using _ = folder;
  await run(812, "minicom", DEVICE);
  const file = `${places.lockFolder}/LCK..ttyUSB0`;
  await writeFile(file, "       812\n");
  {
    await using _lock = await writeLockFile(DEVICE, places);
  }
  assert.equal(await readFile(file, "utf8"), "       812\n");
  assert.deepEqual(await readdir(places.lockFolder), ["LCK..ttyUSB0"]);
});

test("without a folder for lock files, and without /proc, there is no holder and no fault", async () => {
  const places = { proc: "/nowhere/proc", lockFolder: "/nowhere/lock" };
  assert.equal(await findHolder(DEVICE, places), undefined);
  await using _lock = await writeLockFile(DEVICE, places);
});
