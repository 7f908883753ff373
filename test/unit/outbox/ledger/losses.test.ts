import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "#base/log.ts";
import { openLedger } from "#outbox/ledger/ledger.ts";
import { Losses } from "#outbox/ledger/losses.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { FakeDisk } from "../../../support/fake-disk.ts";
import { OutboxHarness } from "../harness.ts";

const DIRECTORY = "/data/outbox/EDGE";

async function open(disk: FakeDisk): Promise<Losses> {
  const env = { clock: new FakeClock(), disk, log: silentLog() };
  return new Losses(await openLedger({ directory: DIRECTORY, rules: "r", freedThrough: () => 0 }, env));
}

test("counts are of this life, the list is of all", async () => {
  const disk = new FakeDisk();
  disk.plant(`${DIRECTORY}/interest`, Buffer.alloc(0));
  {
    await using losses = await open(disk);
    losses.add("link_down");
    losses.add("link_down", 4, null, 2);
    assert.equal(losses.count("link_down"), 5);
  }
  await using again = await open(disk);
  assert.equal(again.count("link_down"), 0);
  assert.deepEqual(
    again.list().map(({ reason, rule, messages }) => [reason, rule, messages]),
    [
      ["link_down", null, 1],
      ["link_down", 2, 4],
    ],
  );
});

test("damage costs no more messages than it has numbers, nor than fit into its bytes", async () => {
  await using losses = new Losses();
  const span = { file: "a.seg", from: 64, to: 364, fromSeq: 10 };
  losses.addDamage("bulk", [{ ...span, throughSeq: 12 }]);
  losses.addDamage("bulk", [{ ...span, from: 400, to: 416, throughSeq: 5000 }]);
  losses.addDamage("bulk", [{ ...span, from: 500, to: 501, throughSeq: undefined }]);
  assert.equal(losses.list()[0]?.messages, 3 + 2 + 1);
});

test("damage of a journal is in the ledger of its outbox, once, however often it starts", async () => {
  const box = await OutboxHarness.open();
  for (let i = 0; i < 3; i++) {
    box.publish("a", [`one ${i}`, `two ${i}`]);
    await box.commit();
  }
  await box[Symbol.asyncDispose]();
  const segment = box.disk.files("/data/outbox/EDGE/state").find((name) => name.endsWith(".seg"));
  const bytes = box.disk.peek(segment!);
  box.disk.rot(segment!, bytes.indexOf("two 0"), 0x55);
  const seen: unknown[] = [];
  for (let i = 0; i < 3; i++) {
    await box.start({});
    const corrupted = box.outbox.losses.list().filter(({ reason }) => reason === "corrupted");
    seen.push(corrupted.map(({ lane, fromSeq, messages }) => [lane, fromSeq, messages]));
    await box[Symbol.asyncDispose]();
  }
  const [first] = seen;
  assert.deepEqual(seen, [first, first, first]);
  assert.match(JSON.stringify(first), /^\[\["state",\d,[12]\]\]$/);
});

test("what is dropped out of a backlog is counted once, though the link falls before that is confirmed, and a message told lost stays lost", async () => {
  const rules = [{ subjects: [">"], keep: "always", no_interest: "drop" }];
  await using box = await OutboxHarness.open({ rules });
  box.listening.set("quiet", "before");
  box.publishAll(["loud", "quiet", "quiet", "loud"].map((subject, i) => ({ subject, payload: `${i}` })));
  await box.commit();
  box.listening.set("quiet", "never");
  for (let i = 0; i < 3; i++) {
    box.up();
    await box.commit();
    box.link.takePings(); // the hub never gets to answer
    box.down();
  }
  assert.deepEqual(box.losses(), { no_interest: 2 });
  box.listening.set("quiet", "now");
  const before = box.link.payloads.length;
  box.up();
  await box.commit();
  box.confirm();
  await box.commit();
  assert.deepEqual(box.link.payloads.slice(before), ["0", "3"]);
  assert.deepEqual([box.losses(), box.outbox.status().depth], [{ no_interest: 2 }, 0]);
});

test("power cuts and kills while the oldest make room: every message is there or counted, none both", async () => {
  const payload = "x".repeat(32_000);
  const settings = { max_bytes: "1MiB" };
  let finishedLater = 0;
  for (let calls = 8; calls <= 32; calls++) {
    const box = new OutboxHarness();
    const fake = box.disk;
    const live = () => Reflect.set(box, "disk", fake.mount()); // a life of its own, that ends with the power
    live();
    await box.start(settings);
    let published = 0;
    const fill = async (messages: number) => {
      for (let i = 0; i < messages; i += 4) {
        box.publish(
          "a",
          Array.from({ length: 4 }, () => `${++published} ${payload}`),
        );
        await box.commit();
      }
    };
    await fill(32);
    fake.strikeAfter(calls, calls % 2 === 0 ? "power" : "kill");
    await fill(8);
    fake.killProcess();
    await box[Symbol.asyncDispose]();
    live();
    await box.start(settings);
    const lost = box.losses()["displaced"] ?? 0;
    const { journal } = box.outbox.lanes.lane("state");
    if (journal.recovery.records > journal.records) finishedLater += 1;
    assert.equal(journal.records + lost, journal.lastSeq, `strike at call ${calls}: ${journal.records} kept, ${lost} lost`);
    await box[Symbol.asyncDispose]();
  }
  assert.ok(finishedLater > 2, `${finishedLater} drops were told and not done`);
});
