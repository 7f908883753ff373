// Retained messages on a store that loses its power.

import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "#base/log.ts";
import { RetainedStore } from "#ingress/mqtt/retained.ts";
import { RetainedBudget } from "#ingress/mqtt/retained-budget.ts";
import type { Store } from "#store/store.ts";
import { StoreRig } from "../../../conformance/store/store-rig.ts";
import { seededRandom } from "../../../support/seeded-random.ts";

const LIMITS = { maxMessages: 1000, maxBytes: 1024 * 1024 };

function openRetained(store: Store, rig: StoreRig): RetainedStore {
  const { clock } = rig;
  return new RetainedStore("EDGE", { keeping: store, budget: new RetainedBudget(LIMITS), clock, log: silentLog() });
}

test("MQTT-3.3.1-5: acknowledged retained messages outlive power cuts, acknowledged removals stay removed", async () => {
  const random = seededRandom(77);
  const below = (end: number) => Math.floor(random() * end);
  const rig = new StoreRig();
  /** By subject: what was put since the last start, undefined for a removal, and the first that is not older than what is safe. */
  let history = new Map<string, { readonly text: string | undefined; readonly mark: number }[]>();
  let number = 0;
  let safeLater = 0;
  for (let life = 0; life < 40; life++) {
    const store = await rig.open();
    using retained = openRetained(store, rig);
    const found = new Map(Array.from(retained.match(">"), ({ subject, payload }) => [subject, payload.toString()]));
    for (const [subject, changes] of history) {
      const may = changes.map(({ text }) => text);
      assert.ok(may.includes(found.get(subject)), `${subject}: found ${found.get(subject)}, wanted one of ${may}`);
      if (changes[0]!.mark > 0) safeLater += 1;
    }
    assert.ok(found.keys().every((subject) => life === 0 || history.has(subject)));
    history = new Map(Array.from({ length: 10 }, (_, i) => [`plant.${i}`, [{ text: found.get(`plant.${i}`), mark: 0 }]]));
    for (let i = 0; i < 40; i++) {
      number += 1;
      const subject = `plant.${below(10)}`;
      const text = random() < 0.2 ? undefined : `${number}`;
      const payload = Buffer.from(text ?? "");
      const qos = below(2) as 0 | 1;
      const mark = retained.put(
        { subject, payload, headers: Buffer.alloc(0), reply: "", qos, isRetained: true, deadlineWall: 0 },
        "u",
      );
      assert.ok(mark !== "full");
      history.get(subject)!.push({ text, mark });
      if (random() < 0.3) await rig.clock.pass(below(40));
    }
    const { safe } = store;
    for (const changes of history.values())
      changes.splice(
        0,
        Math.max(
          0,
          changes.findLastIndex(({ mark }) => mark <= safe),
        ),
      );
    rig.disk.powerCut();
    await store[Symbol.asyncDispose]();
  }
  assert.ok(safeLater > 100, `${safeLater} topics had something safe that was put in the same life`);
});

test("MQTT-3.3.1-12: the last value of a QoS 0 topic is on the card within ten seconds, a change a second costs a write in ten", async () => {
  const rig = new StoreRig();
  {
    const store = await rig.open();
    using retained = openRetained(store, rig);
    for (let second = 0; second <= 60; second++) {
      const payload = Buffer.from(`${second}`);
      retained.put(
        { subject: "state", payload, headers: Buffer.alloc(0), reply: "", qos: 0, isRetained: true, deadlineWall: 0 },
        "u",
      );
      await rig.clock.pass(1000);
    }
    assert.ok(store.status().commits <= 6);
    rig.disk.powerCut();
    await store[Symbol.asyncDispose]();
  }
  await using store = await rig.open();
  using retained = openRetained(store, rig);
  const found = Number(retained.get("state")?.message.payload.toString());
  assert.ok(found >= 50, `${found}`);
});
