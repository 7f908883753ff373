import assert from "node:assert/strict";
import { test } from "node:test";
import { verifyPassword } from "#access/password.ts";
import { systemEntropy } from "#base/entropy.ts";
import { formatFault } from "#base/fault.ts";
import { loadConfig } from "#config/load-config.ts";
import { type FakeDisk, fakeDisk } from "../../support/fake-disk.ts";

const FILE = "/data/settings.json";

function diskWith(settings: string | object | undefined): FakeDisk {
  const disk = fakeDisk();
  disk.plant("/data/other", Buffer.from("x"));
  if (settings !== undefined) plant(disk, settings);
  return disk;
}

function plant(disk: FakeDisk, settings: string | object): void {
  disk.plant(FILE, Buffer.from(typeof settings === "string" ? settings : JSON.stringify(settings)));
}

function load(disk: FakeDisk, env: Record<string, string> = {}) {
  return loadConfig({ dataDir: "/data", env, disk: disk.mount(), entropy: systemEntropy() });
}

test("no settings file: the defaults, a name from the device id, and nothing to tell", async () => {
  const disk = diskWith(undefined);
  const loaded = await load(disk);
  assert.deepEqual([loaded.source, loaded.warnings, loaded.faults, loaded.overridden], ["defaults", [], [], []]);
  assert.equal(loaded.config?.serverName, `petiole-${loaded.config?.deviceId}`);
  assert.equal((await load(disk)).config?.deviceId, loaded.config?.deviceId);
  assert.deepEqual(disk.files("/data"), ["/data/identity.json", "/data/other"]);
});

test("a file edited by hand is taken as it is, and a copy kept", async () => {
  const disk = diskWith({ server_name: "gw-1" });
  const loaded = await load(disk);
  assert.deepEqual([loaded.source, loaded.config?.serverName, loaded.warnings], ["settings.json", "gw-1", []]);
  assert.equal(disk.peek(`${FILE}.last`).toString(), '{"server_name":"gw-1"}');
  const writes = disk.counters.writes;
  await load(disk);
  assert.equal(disk.counters.writes, writes, "an unchanged file costs no write");
});

test("plain passwords are replaced by hashes once, and no copy of them stays", async () => {
  const disk = diskWith({
    accounts: [
      {
        name: "EDGE",
        users: [
          { user: "u", password: "sesame-open" },
          { user: "v", password: "short" },
        ],
      },
    ],
  });
  const loaded = await load(disk);
  const [user] = loaded.config!.accounts[0]!.users;
  assert.equal(await verifyPassword(user!.password!.reveal(), "sesame-open"), true);
  assert.match(loaded.warnings.join(), /password of user "v" is shorter than 8/);
  for (const file of disk.files("/data")) assert.ok(!disk.peek(file).includes("sesame-open"), file);
  assert.equal(loaded.settings.data["accounts"] !== undefined, true);

  const stored = disk.peek(FILE).toString();
  assert.deepEqual((await load(disk)).warnings, []);
  assert.equal(disk.peek(FILE).toString(), stored);
});

test("plain passwords on a disk that takes no writes still work, and are told of", async () => {
  const disk = diskWith({ accounts: [{ name: "EDGE", users: [{ user: "u", password: "sesame-open" }] }] });
  disk.faults.isReadOnly = true;
  const loaded = await load(disk);
  assert.equal(await verifyPassword(loaded.config!.accounts[0]!.users[0]!.password!.reveal(), "sesame-open"), true);
  assert.match(
    loaded.warnings.join("\n"),
    /cannot replace the plain passwords by their hashes in \/data: .*read-only; mount it writable.*EROFS/,
  );
});

test("a mistyped file: the last good settings run, loudly, and the edits stay where they are", async () => {
  const disk = diskWith({ server_name: "good" });
  await load(disk);
  const edits = '{ "server_name": "new",\n  "mqtt": {},\n}';
  plant(disk, edits);
  const loaded = await load(disk);
  assert.deepEqual([loaded.config?.serverName, loaded.source], ["good", "settings.json.last"]);
  assert.match(
    loaded.warnings.join(),
    /settings\.json is damaged or mistyped \(line 3, column 1.*last good settings run.*petiole check/s,
  );
  assert.match(loaded.faults.map(formatFault).join(), /line 3, column 1/);
  assert.equal(disk.peek(FILE).toString(), edits);

  plant(disk, { server_name: "new" });
  assert.equal((await load(disk)).config?.serverName, "new");
});

test("a file that parses and does not validate falls back the same way", async () => {
  const disk = diskWith({ server_name: "good" });
  await load(disk);
  plant(disk, { server_name: "no good name" });
  const loaded = await load(disk);
  assert.deepEqual([loaded.config?.serverName, loaded.faults.map((fault) => fault.path)], ["good", ["server_name"]]);
  assert.match(loaded.warnings.join(), /has faults; the last good settings run/);
});

test("edits that could not be used are set aside when something else is saved in their place", async () => {
  const disk = diskWith({ server_name: "good" });
  await load(disk);
  plant(disk, { server_name: "no good name" });
  const { settings } = await load(disk);
  await settings.update((document) => {
    document["server_name"] = "better";
  });
  assert.equal(disk.peek(`${FILE}.broken`).toString(), '{"server_name":"no good name"}');
  assert.equal((await load(disk)).config?.serverName, "better");
});

test("a first file with faults has nothing to fall back on, and is refused with all of them", async () => {
  for (const settings of ["{", { mqt: {}, outbox: 1 }]) {
    const disk = diskWith(settings);
    for (let start = 1; start <= 2; start++) {
      const loaded = await load(disk);
      assert.equal(loaded.config, undefined);
      assert.ok(loaded.faults.length > 0);
    }
  }
});

test("a device that has run before starts even when every copy is rotten", async () => {
  const disk = diskWith({ server_name: "good" });
  await load(disk);
  for (const file of disk.files("/data").filter((name) => name.startsWith(FILE))) disk.plant(file, Buffer.alloc(64));
  const loaded = await load(disk);
  assert.equal(loaded.source, "defaults");
  assert.ok(loaded.config !== undefined);
  assert.match(loaded.warnings.join(), /no good copy is left, the defaults run/);
});

test("the environment decides over the file, says so, and is never written to it", async () => {
  const disk = diskWith({ server_name: "file", accounts: [{ name: "EDGE", users: [] }] });
  const loaded = await load(disk, {
    DEVICE_NAME: "fleet",
    PETIOLE_ACCOUNTS__0__USERS: '[{"user":"u","password":"from-the-fleet"}]',
  });
  assert.equal(loaded.config?.serverName, "fleet");
  assert.deepEqual(loaded.overridden, [
    { path: "server_name", variable: "DEVICE_NAME" },
    { path: "accounts[0].users", variable: "PETIOLE_ACCOUNTS__0__USERS" },
  ]);
  assert.equal(await verifyPassword(loaded.config!.accounts[0]!.users[0]!.password!.reveal(), "from-the-fleet"), true);
  assert.deepEqual(loaded.settings.data, { server_name: "file", accounts: [{ name: "EDGE", users: [] }] });
  for (const file of disk.files("/data")) assert.ok(!disk.peek(file).includes("fleet"), file);
});

test("a bad variable is told and left out, the rest runs", async () => {
  const disk = diskWith({ server_name: "file" });
  const loaded = await load(disk, { DEVICE_NAME: "no good", PETIOLE_MQTT__LISTEN: "127.0.0.1:0", PETIOLE_MQT: "1" });
  assert.equal(loaded.config?.serverName, "file");
  assert.deepEqual(loaded.config?.mqtt?.listen, { host: "127.0.0.1", port: 0 });
  assert.deepEqual(
    loaded.overridden.map((each) => each.variable),
    ["PETIOLE_MQTT__LISTEN"],
  );
  assert.match(loaded.faults.map(formatFault).join("\n"), /PETIOLE_MQT:.*\n.*DEVICE_NAME/s);
});

test("settings elsewhere keep their copies beside them", async () => {
  const disk = diskWith(undefined);
  disk.plant("/etc/petiole/spoke.json", Buffer.from('{"server_name":"elsewhere"}'));
  const loaded = await loadConfig({
    dataDir: "/data",
    settingsFile: "/etc/petiole/spoke.json",
    env: {},
    disk: disk.mount(),
    entropy: systemEntropy(),
  });
  assert.deepEqual([loaded.config?.serverName, loaded.source], ["elsewhere", "spoke.json"]);
  assert.ok(disk.files("/etc").includes("/etc/petiole/spoke.json.last"));
});

test("an edit through lowdb is stored and survives a power cut", async () => {
  const disk = diskWith({ server_name: "a" });
  const { settings } = await load(disk);
  await settings.update((document) => {
    document["server_name"] = "b";
  });
  disk.powerCut();
  assert.equal((await load(disk)).config?.serverName, "b");
});

test("a power cut at every step of the first load leaves settings that load, with their users", async () => {
  for (let calls = 1; calls < 60; calls += 1) {
    const disk = diskWith({ server_name: "gw", accounts: [{ name: "EDGE", users: [{ user: "u", password: null }] }] });
    disk.strikeAfter(calls);
    await load(disk).catch(() => undefined);
    disk.powerCut();
    const loaded = await load(disk);
    assert.deepEqual(
      [loaded.config?.serverName, loaded.config?.accounts[0]?.users[0]?.user, loaded.faults],
      ["gw", "u", []],
      `call ${calls}`,
    );
  }
});
