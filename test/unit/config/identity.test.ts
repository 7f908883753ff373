import assert from "node:assert/strict";
import { test } from "node:test";
import { systemEntropy } from "#base/entropy.ts";
import { openIdentity, readIdentity } from "#config/identity.ts";
import { fakeDisk } from "../../support/fake-disk.ts";

test("a device makes its id once and keeps it through power cuts", async () => {
  const disk = fakeDisk();
  disk.plant("/data/other", Buffer.from("x")); // the volume is mounted
  const first = await openIdentity(disk.mount(), systemEntropy(), "/data");
  assert.match(first.deviceId, /^[0-9a-z]{10}$/);
  disk.powerCut();
  const second = await openIdentity(disk.mount(), systemEntropy(), "/data");
  assert.deepEqual(second, { deviceId: first.deviceId, warnings: [] });
});

test("a power cut at any moment of making it leaves none or a whole one", async () => {
  for (let calls = 1; calls < 15; calls++) {
    const disk = fakeDisk({ seed: calls });
    disk.plant("/data/other", Buffer.from("x"));
    disk.strikeAfter(calls);
    await openIdentity(disk.mount(), systemEntropy(), "/data");
    disk.powerCut();
    const [found, opened] = [
      await readIdentity(disk.mount(), "/data"),
      await openIdentity(disk.mount(), systemEntropy(), "/data"),
    ];
    assert.deepEqual(opened.warnings, []);
    if (found !== undefined) assert.equal(opened.deviceId, found);
  }
});

test("a damaged identity is set aside, told, and replaced", async () => {
  for (const damaged of ["", "{", "[]", '{"device_id":"../../etc"}', '{"device_id":7}', "\u0000".repeat(30)]) {
    const disk = fakeDisk();
    disk.plant("/data/identity.json", Buffer.from(damaged));
    const { warnings, deviceId } = await openIdentity(disk.mount(), systemEntropy(), "/data");
    assert.match(warnings.join(), /held no device id/);
    assert.equal(disk.peek("/data/identity.json.broken").toString(), damaged);
    assert.equal(await readIdentity(disk.mount(), "/data"), deviceId);
  }
});

test("an id that cannot be kept still serves", async () => {
  const disk = fakeDisk();
  disk.plant("/data/other", Buffer.from("x"));
  disk.faults.isReadOnly = true;
  const { deviceId, warnings } = await openIdentity(disk.mount(), systemEntropy(), "/data");
  assert.equal(deviceId.length, 10);
  assert.match(warnings.join(), /cannot keep the device id/);
});
