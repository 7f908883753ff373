// The probe looks and leaves no trace, over whichever disk the program has: the daemon's own is a watched one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { replaceWhole } from "#base/disk.ts";
import { silentLog } from "#base/log.ts";
import { type ProbeSources, systemProbe } from "#doctor/system-probe.ts";
import { AddressBook } from "#uplink/address-book.ts";
import { WatchedDisk } from "#watchdog/watched-disk.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeDisk } from "../../support/fake-disk.ts";

function probeOver(disk: WatchedDisk) {
  const clock = new FakeClock();
  return systemProbe({ env: { clock, disk, log: silentLog() }, dataDir: "/data", version: "test" } as unknown as ProbeSources);
}

test("over a watched disk, everything that reads can still read", async () => {
  const disk = new WatchedDisk(new FakeDisk().mount());
  await disk.makeDirectory("/data");
  await replaceWhole(disk, "/data", "file", Buffer.from("content"));
  const { env } = probeOver(disk);
  await using file = await env.disk.open("/data/file", "read");
  assert.equal(await file.size(), 7);
  assert.deepEqual(await env.disk.list("/data"), ["file"]);
  await using book = await AddressBook.open("/data/outbox/hub", env);
  assert.deepEqual(book.known("hub.example.com"), []);
});

test("the rights of files stay as they are", async () => {
  const disk = new WatchedDisk(new FakeDisk().mount());
  await disk.makeDirectory("/data");
  await replaceWhole(disk, "/data", "secret", Buffer.from("s"));
  await disk.setMode("/data/secret", 0o644);
  await probeOver(disk).env.disk.setMode("/data/secret", 0o600);
  assert.equal((await disk.mode("/data/secret")) & 0o777, 0o644);
});
