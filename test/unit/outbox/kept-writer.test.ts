// The time of capture on the wire: right, corrected, or said to be unknown.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Calendar } from "#outbox/calendar.ts";
import { encodeKept, KeptView, keptBytes } from "#outbox/kept-message.ts";
import { KeptWriter } from "#outbox/kept-writer.ts";
import { WireWriter } from "#wire/wire-writer.ts";

const NOW = 1_795_334_400_000;
const BOOT = "a0000000-0000-4000-8000-000000000000";
const OTHER_BOOT = "b0000000-0000-4000-8000-000000000000";

class SetCalendar implements Calendar {
  readonly bootId = BOOT;
  revision = 0;
  readonly offsets = new Map<string | null, number>();

  stamp(): number {
    return 1000;
  }

  wallOf(stamp: number, boot: string | null): number | undefined {
    const offset = this.offsets.get(boot);
    return offset === undefined ? undefined : offset + stamp;
  }

  ageOf(): number | undefined {
    return undefined;
  }

  set(boot: string, offset: number): void {
    this.offsets.set(boot, offset);
    this.revision += 1;
  }
}

function view(): KeptView {
  const batch = new BatchBuilder();
  batch.beginOwn();
  batch.add({ subject: "sensors.a", payload: Buffer.from("42"), flags: 0 });
  const slab = Buffer.alloc(keptBytes(batch, 0));
  encodeKept(slab, 0, batch, 0);
  const kept = new KeptView();
  assert.ok(kept.look(slab, 0, slab.length));
  return kept;
}

/** The header lines of the message, and its size as told before. */
function write(writer: KeptWriter, stamp: number, boot: string): { readonly lines: readonly string[]; readonly text: string } {
  const out = new WireWriter();
  const told = writer.sizeOf(view(), 3, 7, stamp, boot);
  writer.write(out, view(), 3, 7, stamp, { groups: [], inbox: null, isHistorical: false, boot });
  const text = out.take().toString("latin1");
  const [, headerBytes, total] = /^HMSG sensors\.a (\d+) (\d+)\r\n/.exec(text)!;
  const body = text.slice(text.indexOf("\r\n") + 2);
  assert.equal(body.length, Number(total) + 2);
  assert.ok(told >= Number(total));
  assert.equal(body.slice(Number(headerBytes)), "42\r\n");
  return { lines: body.slice(0, Number(headerBytes)).split("\r\n"), text };
}

test("a message whose time nobody knows says so instead of telling one", () => {
  const writer = new KeptWriter("dev", "state", new SetCalendar());
  assert.deepEqual(write(writer, 1000, BOOT).lines, ["NATS/1.0", "Nats-Msg-Id: dev-3-state-7", "Petiole-Clock: unset", "", ""]);
});

test("the same message has its time as soon as the clock is set, and another when it is set again", () => {
  const calendar = new SetCalendar();
  const writer = new KeptWriter("dev", "state", calendar);
  assert.match(write(writer, 1000, BOOT).text, /Petiole-Clock: unset/);
  calendar.set(BOOT, NOW);
  assert.deepEqual(write(writer, 1000, BOOT).lines.slice(2), ["Petiole-Time: 2026-11-22T08:00:01.000Z", "", ""]);
  calendar.set(BOOT, NOW + 60_000);
  assert.deepEqual(write(writer, 1000, BOOT).lines.slice(2), ["Petiole-Time: 2026-11-22T08:01:01.000Z", "", ""]);
});

test("one stamp in two boots is two times", () => {
  const calendar = new SetCalendar();
  const writer = new KeptWriter("dev", "state", calendar);
  calendar.set(BOOT, NOW);
  calendar.set(OTHER_BOOT, NOW - 3_600_000);
  assert.match(write(writer, 1000, BOOT).text, /Petiole-Time: 2026-11-22T08:00:01\.000Z/);
  assert.match(write(writer, 1000, OTHER_BOOT).text, /Petiole-Time: 2026-11-22T07:00:01\.000Z/);
});
