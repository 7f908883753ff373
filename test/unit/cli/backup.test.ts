import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import { type BackupPlaces, runBackup } from "../../../src/cli/backup.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { tempFolder } from "../../support/temp-folder.ts";

function places(dataDir: string, typed: readonly string[]): BackupPlaces {
  const answers = [...typed];
  const env = { clock: new FakeClock(), disk: systemDisk(), entropy: systemEntropy(), log: silentLog() };
  return { dataDir, env, passphraseFile: undefined, ask: async () => answers.shift() ?? "" };
}

const PASSPHRASE = "a long enough passphrase";

test("an exported backup is for its owner's eyes only and is restored on another device", async () => {
  await using folder = await tempFolder();
  const at = (name: string) => path.join(folder.path, name);
  await fs.mkdir(at("old/secrets"), { recursive: true });
  await fs.mkdir(at("new"));
  await fs.writeFile(at("old/settings.json"), JSON.stringify({ server_name: "gw-old" }));
  await fs.writeFile(at("old/secrets/hub.creds"), "creds");
  const exported = await runBackup("export", [at("b")], places(at("old"), [PASSPHRASE, PASSPHRASE]));
  assert.deepEqual(exported, { text: `wrote ${at("b")}: settings and 1 secrets of gw-old\n`, code: 0 });
  assert.equal((await fs.stat(at("b"))).mode & 0o777, 0o600);
  const restored = await runBackup("restore", [at("b")], places(at("new"), [PASSPHRASE]));
  assert.ok("code" in restored && restored.code === 0);
  assert.equal(JSON.parse(await fs.readFile(at("new/settings.json"), "utf8")).server_name, "gw-old");
  assert.equal(await fs.readFile(at("new/secrets/hub.creds"), "utf8"), "creds");
});

test("nothing is written over, with a short passphrase, with two different ones, or for a file that is not there", async () => {
  await using folder = await tempFolder();
  const at = (name: string) => path.join(folder.path, name);
  await fs.writeFile(at("there"), "mine");
  const texts: string[] = [];
  for (const [command, words, typed] of [
    ["export", [at("there")], [PASSPHRASE, PASSPHRASE]],
    ["export", [at("b")], ["short", "short"]],
    ["export", [at("b")], [PASSPHRASE, "another long passphrase"]],
    ["restore", [at("b")], [PASSPHRASE]],
    ["export", [], []],
    ["restore", [at("a"), at("b")], []],
  ] as const) {
    const outcome = await runBackup(command, words, places(folder.path, typed));
    assert.ok("misuse" in outcome || outcome.code === 1, words.join());
    texts.push("misuse" in outcome ? outcome.misuse : outcome.text);
  }
  assert.match(texts.join("\n"), /is there already[\s\S]*the same both times[\s\S]*there is no file[\s\S]*name of one file/);
  assert.equal(await fs.readFile(at("there"), "utf8"), "mine");
  assert.deepEqual(await fs.readdir(folder.path), ["there"]);
});

test("a folder where a file is wanted, and a folder that is not there, are told in words", async () => {
  await using folder = await tempFolder();
  const at = (name: string) => path.join(folder.path, name);
  const passphraseFile = at("passphrase");
  await fs.writeFile(passphraseFile, PASSPHRASE);
  await fs.writeFile(at("settings.json"), "{}");
  const textOf = async (command: "export" | "restore", target: string, more: Partial<BackupPlaces> = { passphraseFile }) => {
    const outcome = await runBackup(command, [target], { ...places(folder.path, []), ...more });
    assert.ok("code" in outcome && outcome.code === 1);
    return outcome.text;
  };
  const isFolder = (command: string) => `petiole: cannot ${command}: ${folder.path} is a folder; name a file in it\n`;
  assert.equal(await textOf("export", folder.path), isFolder("export"));
  assert.equal(await textOf("restore", folder.path), isFolder("restore"));
  assert.equal(await textOf("export", at("b"), { passphraseFile: folder.path }), isFolder("export"));
  assert.match(await textOf("export", at("no/b")), /there is no folder .*\/no; make it/);
  assert.deepEqual((await fs.readdir(folder.path)).sort(), ["passphrase", "settings.json"]);
});

test("a backup of nothing is none: without settings, with broken ones, or from a place where no device lives", async () => {
  await using folder = await tempFolder();
  const at = (name: string) => path.join(folder.path, name);
  await fs.mkdir(at("data"));
  const textOf = async (dataDir: string, more: Partial<BackupPlaces> = {}) => {
    const outcome = await runBackup("export", [at("b")], { ...places(dataDir, [PASSPHRASE, PASSPHRASE]), ...more });
    assert.ok("code" in outcome);
    return outcome.text;
  };
  assert.match(await textOf(at("mistyped")), /nothing was exported, for there is no .*mistyped\/settings.json; name the place/);
  assert.match(await textOf(at("data"), { settingsFile: at("mistyped.json") }), /there is no .*mistyped.json/);
  await fs.writeFile(at("data/settings.json"), "{ half");
  assert.match(await textOf(at("data")), /nothing was exported, for .*settings.json cannot be used: /);
  assert.deepEqual(await fs.readdir(folder.path), ["data"]);
  await fs.rm(at("data/settings.json"));
  await fs.writeFile(at("data/identity.json"), JSON.stringify({ device_id: "abcdefghj2" }));
  assert.match(await textOf(at("data")), /^wrote /, "a device that runs by its environment");
});
