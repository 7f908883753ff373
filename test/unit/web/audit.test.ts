import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "#base/log.ts";
import { Audit, type AuditEvent } from "#web/server/audit.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeDisk } from "../../support/fake-disk.ts";

const DONE: AuditEvent = { action: "settings changed", outcome: "done", user: "owner", address: "192.0.2.7" };

/** A disk that counts how many of its files are open. */
function counting() {
  const disk = new FakeDisk().mount();
  const counted = { disk: Object.create(disk) as typeof disk, open: 0 };
  counted.disk.open = async (path, mode) => {
    const file = await disk.open(path, mode);
    counted.open += 1;
    const close = file[Symbol.asyncDispose].bind(file);
    file[Symbol.asyncDispose] = async () => {
      counted.open -= 1;
      await close();
    };
    return file;
  };
  return counted;
}

test("what is noted when the trail is closed is kept, and no file stays open", async () => {
  const counted = counting();
  const env = { clock: new FakeClock(), disk: counted.disk, log: silentLog() };
  const audit = await Audit.open("/data", env);
  await audit.note(DONE);
  assert.equal(counted.open, 1);
  await audit[Symbol.asyncDispose]();
  assert.equal(counted.open, 0);
  await using next = await Audit.open("/data", env);
  await audit.note({ ...DONE, detail: "late" });
  assert.equal(counted.open, 1);
  await next.note({ ...DONE, detail: "of the page that came after" });
  assert.deepEqual(
    (await next.last(9)).map(({ detail }) => detail),
    ["of the page that came after", "late", undefined],
  );
});
