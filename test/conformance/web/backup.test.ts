import assert from "node:assert/strict";
import { createCipheriv, scryptSync } from "node:crypto";
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
    [16, 1], // r 1 with ln 17: scrypt takes no such pair
  ] as const) {
    const greedy = Buffer.from(sealed);
    if (at === 16 && value === 1) greedy[15] = 17;
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

test("contents that are no JSON, sealed by somebody else's program, are refused and end nothing", async () => {
  for (const plain of ["", "no JSON", "null", "[]", '{"version":1}']) {
    const head = (await sealBackup(CONTENTS, PASSPHRASE, systemEntropy())).subarray(0, 46);
    const key = scryptSync(PASSPHRASE, head.subarray(18, 34), 32, { N: 2 ** 15, r: 8, p: 1, maxmem: 2 ** 26 });
    const cipher = createCipheriv("aes-256-gcm", key, head.subarray(34));
    cipher.setAAD(head);
    const sealed = Buffer.concat([head, cipher.update(plain, "utf8"), cipher.final(), cipher.getAuthTag()]);
    await assert.rejects(openBackup(sealed, PASSPHRASE), { code: "WEB_BACKUP" }, plain);
  }
});
