import assert from "node:assert/strict";
import { test } from "node:test";
import { systemEntropy } from "#base/entropy.ts";
import { openBackup, sealBackup } from "#web/server/backup.ts";

const CONTENTS = {
  device: "gw-7",
  at: "2026-01-01T00:00:00.000Z",
  settings: { server_name: "gw-7", note: "ünïcode" },
  files: [{ name: "hub.creds", bytes: Buffer.from([0, 1, 2, 255]) }],
};
const PASSPHRASE = "a long enough passphrase";

test("what was sealed comes out again, with the passphrase alone, typed on whatever keyboard", async () => {
  const sealed = await sealBackup(CONTENTS, "pässphrase of ages", systemEntropy());
  assert.deepEqual(await openBackup(sealed, "pa\u0308ssphrase of ages"), CONTENTS);
  await assert.rejects(openBackup(sealed, "passphrase of ages"), { code: "WEB_BACKUP" });
});

test("two backups of the same have nothing in common but their beginning", async () => {
  const [a, b] = [
    await sealBackup(CONTENTS, PASSPHRASE, systemEntropy()),
    await sealBackup(CONTENTS, PASSPHRASE, systemEntropy()),
  ];
  assert.deepEqual(a.subarray(0, 18), b.subarray(0, 18));
  assert.notDeepEqual(a.subarray(18, 34), b.subarray(18, 34));
  assert.notDeepEqual(a.subarray(46), b.subarray(46));
});

test("a backup that was cut, lengthened or changed in any byte is refused, cheaply where it asks for too much", async () => {
  const sealed = await sealBackup(CONTENTS, PASSPHRASE, systemEntropy());
  for (const length of [0, 1, 13, 14, 17, 45, 61, sealed.length - 1])
    await assert.rejects(openBackup(sealed.subarray(0, length), PASSPHRASE), { code: "WEB_BACKUP" }, `cut to ${length}`);
  await assert.rejects(openBackup(Buffer.concat([sealed, Buffer.alloc(1)]), PASSPHRASE), { code: "WEB_BACKUP" });
  for (const at of [0, 14, 18, 46, sealed.length - 1]) {
    const changed = Buffer.from(sealed);
    changed[at]! ^= 0x80;
    await assert.rejects(openBackup(changed, PASSPHRASE), { code: "WEB_BACKUP" }, `byte ${at}`);
  }
  for (const [at, value] of [
    [15, 31],
    [16, 255],
    [17, 255],
    [15, 0],
  ] as const) {
    const greedy = Buffer.from(sealed);
    greedy[at] = value;
    await assert.rejects(openBackup(greedy, PASSPHRASE), /damaged/, `cost ${at}: ${value}`);
  }
});

test("a backup names no file outside of secrets", async () => {
  for (const name of ["../settings.json", "a/b", ".hidden"]) {
    const sealed = await sealBackup({ ...CONTENTS, files: [{ name, bytes: Buffer.from("x") }] }, PASSPHRASE, systemEntropy());
    await assert.rejects(openBackup(sealed, PASSPHRASE), /contents cannot be used/, JSON.stringify(name));
  }
});
