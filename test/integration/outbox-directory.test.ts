// A data directory that cannot be used, or is another daemon's: the daemon says in words why it does not start, and breaks nothing.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { after, before, suite, test } from "node:test";
import { build } from "../../scripts/build.ts";
import { freePorts } from "../support/free-ports.ts";
import { LEAF, startHub } from "../support/hub.ts";
import { cannotMount, LoopDisk } from "../support/loop-disk.ts";
import { SpawnedProcess } from "../support/processes.ts";
import { Daemon, mqttDevice, settingsFor } from "../support/spoke.ts";
import { type TempFolder, tempFolder } from "../support/temp-folder.ts";

const NOBODY = 65_534;
const needsRoot = process.getuid?.() === 0 ? false : "another user's directory, and network namespaces, need root";

let folder: TempFolder | undefined;
let program: string;

before(async () => {
  folder = await tempFolder("petiole-directory");
  const outFolder = path.join(folder.path, "program");
  await build({ outFolder });
  await fs.chmod(folder.path, 0o755); // another user must be able to run it
  program = path.join(outFolder, "petiole.js");
});
after(() => folder?.[Symbol.asyncDispose]());

suite("a directory that cannot be used", () => {
  test("is a file: the sentence says so, and it is no bug of ours", async () => {
    await using place = await tempFolder();
    const file = path.join(place.path, "data");
    await fs.writeFile(file, "not a folder");
    await refuses([program, "run", "--data", file], file, /not a (folder|directory)|is a file/);
  });

  for (const where of ["outbox", "outbox/EDGE", "outbox/EDGE/state"]) {
    test(`has a file where the folder ${where} should be`, async () => {
      await using place = await tempFolder();
      await writeSettings(place.path);
      await fs.mkdir(path.join(place.path, path.dirname(where)), { recursive: true });
      await fs.writeFile(path.join(place.path, where), "not a folder");
      await refuses([program, "run", "--data", place.path], path.join(place.path, where), /not a (folder|directory)|is a file/);
    });
  }

  test("lies below a file: the file is named", async () => {
    await using place = await tempFolder();
    const file = path.join(place.path, "file");
    await fs.writeFile(file, "not a folder");
    await refuses([program, "run", "--data", path.join(file, "a/b")], `${file} is a file`, /move it away, or correct the path/);
  });

  test("cannot be made: the sentence says so, at once", async () => {
    await refuses(
      [program, "run", "--data", "/proc/petiole/data"],
      "/proc/petiole",
      /cannot run: cannot work in the data directory/,
    );
    await refuses([program, "run", "--data", ""], "--data", /is empty; name the data directory/);
  });

  test("is a link that leads nowhere: the sentence says so", async () => {
    await using place = await tempFolder();
    const link = path.join(place.path, "data");
    await fs.symlink("/proc/nowhere/at/all", link);
    await refuses([program, "run", "--data", link], link, /cannot run: cannot work in the data directory/);
  });

  test("is named from where we stand: that folder is made, and nothing else", async () => {
    await using place = await tempFolder();
    const env = { PETIOLE_MONITOR: "null" };
    await using run = await SpawnedProcess.start(process.execPath, [program, "run", "--data", "data"], { env, cwd: place.path });
    await run.says(/petiole running/);
    assert.deepEqual(await fs.readdir(place.path), ["data"]);
    assert.equal((await run.stop()).code, 0);
  });

  test("has folders where files should be: each is named with what to do, and it starts all the same", async () => {
    const names = [
      ...["lock", "control.sock", "clock", "clock.1", "identity.json"],
      ...["settings.json.last", "settings.json.1", "settings.json.2", "settings.json.sums"],
      ...["hub-interest.json", "addresses.json", "ledger", "ledger.old"].map((name) => `outbox/EDGE/${name}`),
    ];
    const tellsNothing = ["settings.json.1", "settings.json.2", "settings.json.sums"]; // they are only looked at in need
    await using place = await tempFolder();
    const settings = settingsFor({ remote: remoteOf("nats-leaf://127.0.0.1:1") });
    const allOff = { ...settings, listen: null, mqtt: null, monitor: null };
    await fs.writeFile(path.join(place.path, "settings.json"), JSON.stringify(allOff));
    for (const name of names) await fs.mkdir(path.join(place.path, name), { recursive: true });
    await using run = await SpawnedProcess.start(process.execPath, [program, "run", "--data", place.path]);
    await run.says(/petiole running/);
    await run.says(/no link: .*\n(.|\n)*no link: /); // nothing listens, and it lives on
    for (const name of names.filter((each) => !tellsNothing.includes(each)))
      assert.ok(run.output.includes(path.join(place.path, name)), `${name}:\n${run.output}`);
    assert.equal((await run.stop()).code, 0);
    assert.doesNotMatch(run.output, /a bug/);
  });

  test("is not there: it is made, with its parents", async () => {
    await using place = await tempFolder();
    const dataDir = path.join(place.path, "not", "yet");
    await using run = await SpawnedProcess.start(process.execPath, [program, "run", "--data", dataDir], {
      env: { PETIOLE_MONITOR: "null" },
    });
    await run.says(/petiole running/);
    assert.equal((await fs.stat(dataDir)).mode & 0o777, 0o700, "for nobody else's eyes");
    assert.equal((await run.stop()).code, 0);
  });

  test("belongs to another user: the sentence names it", { skip: needsRoot }, async () => {
    await using place = await tempFolder();
    await writeSettings(place.path);
    await fs.chmod(place.path, 0o755);
    const node = await fs.realpath(process.execPath);
    const asNobody = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", node, program, "run", "--data", place.path];
    await using run = await SpawnedProcess.start("setpriv", asNobody);
    const { code } = await run.exited;
    assert.equal(code, 1, run.output);
    assert.match(run.stderr, /cannot run: .*permission denied/);
    assert.ok(run.stderr.includes(place.path), run.stderr);
  });

  test("is on a disk that is read-only at the start", { skip: cannotMount ?? false }, async () => {
    await using disk = await LoopDisk.mount({ type: "ext4", mebibytes: 8 });
    await writeSettings(disk.path);
    assert.ok(await disk.remount("ro"));
    await refuses([program, "run", "--data", disk.path], disk.path, /read-only/);
  });

  test("is on a disk without a byte of room: it starts all the same, and the link alone confirms", {
    skip: cannotMount ?? false,
  }, async () => {
    await using hub = await startHub({ version: "2.15" });
    const nats = await hub.connect();
    nats.subscribe("sensors.>", { callback: () => undefined });
    await nats.flush();
    await using disk = await LoopDisk.mount({ type: "ext4", mebibytes: 8 });
    const [mqttPort] = await freePorts(1);
    const options = { dataDir: disk.path, mqttPort: mqttPort!, program, remote: remoteOf(hub.leafUrl) };
    {
      await using daemon = await Daemon.start(options);
      assert.equal(await daemon.stop(), 0); // it has been here before: a first start needs a little room
    }
    await disk.fill();
    await using daemon = await Daemon.start(options);
    await daemon.until("the link is ready", ({ remotes }) => remotes[0]!.link.state === "ready");
    await using device = await mqttDevice(mqttPort!);
    await device.publishAsync("sensors/a", "over the link", { qos: 1 });
  });
});

suite("two daemons on one directory", () => {
  test("reached by another name: the second is refused by a sentence, exit code 1, and the first goes on", async () => {
    await using place = await tempFolder();
    const dataDir = path.join(place.path, "data");
    await fs.mkdir(dataDir);
    await fs.symlink(dataDir, path.join(place.path, "link"));
    const [mqttPort] = await freePorts(1);
    await using daemon = await Daemon.start({ dataDir, mqttPort: mqttPort!, program });
    await refuses([program, "run", "--data", path.join(place.path, "link")], "link", /another petiole daemon works in/);
    await daemon.until("the first answers", () => true);
  });

  test("started in the same instant: one works, one is refused", async () => {
    await using place = await tempFolder();
    await writeSettings(place.path);
    const start = () => SpawnedProcess.start(process.execPath, [program, "run", "--data", place.path]);
    await using one = await start();
    await using two = await start();
    const refused = await Promise.any([one, two].map((each) => each.says(/another petiole daemon works in/).then(() => each)));
    assert.equal((await refused.exited).code, 1);
    const other = refused === one ? two : one;
    await other.says(/petiole running/);
    assert.equal((await other.stop()).code, 0);
  });

  for (const [name, kinds] of [
    ["network namespaces", ["--net"]],
    ["namespaces of network and processes", ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"]],
  ] as const) {
    test(`in ${name} of their own, as two containers are: the second is refused all the same`, { skip: needsRoot }, async () => {
      await using place = await tempFolder();
      const [mqttPort] = await freePorts(1);
      await using daemon = await Daemon.start({ dataDir: place.path, mqttPort: mqttPort!, program });
      const inside = ["sh", "-c", 'ip link set lo up; exec "$@"', "sh", process.execPath, program, "run", "--data", place.path];
      await using second = await SpawnedProcess.start("unshare", [...kinds, ...inside]);
      const said = await Promise.race([
        second.says(/another petiole daemon works in/).then(() => "refused"),
        second.says(/petiole running/).then(() => "running beside the first"),
      ]);
      assert.equal(said, "refused");
      assert.equal((await second.exited).code, 1);
      await daemon.until("the first answers", () => true);
      await daemon.kill();
      await using third = await SpawnedProcess.start("unshare", [...kinds, ...inside]);
      await third.says(/petiole running/); // what was killed left nothing that is in the way
      await third.kill();
    });
  }

  test("in network namespaces of their own and in the same instant: one works, one is refused", { skip: needsRoot }, async () => {
    await using place = await tempFolder();
    await writeSettings(place.path);
    const inside = ["sh", "-c", 'ip link set lo up; exec "$@"', "sh", process.execPath, program, "run", "--data", place.path];
    const start = () => SpawnedProcess.start("unshare", ["--net", ...inside]);
    const both = await Promise.all([start(), start()]);
    await using one = both[0];
    await using two = both[1];
    const refused = await Promise.any([one, two].map((each) => each.says(/another petiole daemon works in/).then(() => each)));
    assert.equal((await refused.exited).code, 1);
    const other = refused === one ? two : one;
    await other.says(/petiole running/);
    assert.equal((await other.stop()).code, 0);
  });
});

function remoteOf(leafUrl: string) {
  return { urls: [leafUrl], user: LEAF.user, password: LEAF.password };
}

async function writeSettings(dataDir: string): Promise<void> {
  const settings = settingsFor({ remote: remoteOf("nats-leaf://127.0.0.1:1") });
  await fs.writeFile(path.join(dataDir, "settings.json"), JSON.stringify(settings));
}

/** It ends with 1, names the place, gives the reason, and does not call it a bug. */
async function refuses(args: readonly string[], place: string, words: RegExp): Promise<void> {
  await using run = await SpawnedProcess.start(process.execPath, args);
  const { code } = await run.exited;
  assert.doesNotMatch(run.stderr, /a bug ended the daemon/);
  assert.equal(code, 1, run.stderr);
  assert.match(run.stderr, words);
  assert.ok(run.stderr.includes(place), run.stderr);
}
