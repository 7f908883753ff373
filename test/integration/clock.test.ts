// A daemon whose calendar is wrong, set, lost and wrong again: what the hub reads in `Petiole-Time`.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { Msg } from "@nats-io/transport-node";
import type { StatusReport } from "#status/report.ts";
import { type Board, PROGRAM, setBoard } from "../support/fake-calendar-daemon.ts";
import { freePorts } from "../support/free-ports.ts";
import { type Hub, LEAF, startHub } from "../support/hub.ts";
import { LinkCutter } from "../support/link-cutter.ts";
import { Daemon, mqttDevice } from "../support/spoke.ts";
import { tempFolder } from "../support/temp-folder.ts";

const BOOTS = ["a", "b", "c"].map((letter) => `${letter}0000000-0000-4000-8000-000000000000`);
const UNSET = () => -Date.now(); // 1970
const YEAR = 365 * 86_400_000;
/** The daemon looks at its calendar once a second. */
const PRECISION_MS = 1500;

const SETTINGS = { outbox: { free_reserve: "0B", rules: [{ subjects: [">"], keep: "always" }] } };

for (const version of ["2.10", "2.15"] as const) {
  describe(`clock, nats-server ${version}`, () => {
    const stack = new AsyncDisposableStack();
    after(() => stack.disposeAsync());

    test("readings captured before the clock was set come with the right time, across kill -9 and reboot", async () => {
      const place = stack.use(await openPlace(await startHub({ version }), { aheadMs: UNSET(), bootId: BOOTS[0]! }));
      const { daemon, cutter, board, reading, heard } = place;
      await daemon.until("the link is ready", isReady);

      await reading("online-unset");
      const unset = await heard("online-unset");
      assert.equal(unset.headers?.get("Petiole-Clock"), "unset");
      assert.equal(unset.headers?.has("Petiole-Time"), false);

      cutter.cut();
      await daemon.until("the link is down", (report) => !isReady(report));
      const first = await reading("before");
      board({ aheadMs: 0, bootId: BOOTS[0]! }); // NTP, 56 years at once
      await place.logged(/clock (can be believed|was set)/);
      const second = await reading("after");

      await daemon.kill(); // of the same boot; and the calendar is lost again
      board({ aheadMs: UNSET(), bootId: BOOTS[0]! });
      await daemon.restart();
      const third = await reading("same-boot");

      await daemon.kill();
      board({ aheadMs: UNSET(), bootId: BOOTS[1]! }); // a reboot that never learns the time
      await daemon.restart();
      await reading("timeless");

      await daemon.kill();
      board({ aheadMs: 0, bootId: BOOTS[2]! });
      await daemon.restart();
      const fourth = await reading("reboot");
      cutter.heal();

      for (const [name, captured] of Object.entries({ before: first, after: second, "same-boot": third, reboot: fourth })) {
        const message = await heard(name);
        assert.equal(message.headers?.has("Petiole-Clock"), false, name);
        const off = Date.parse(message.headers!.get("Petiole-Time")) - captured;
        assert.ok(Math.abs(off) < PRECISION_MS, `${name}: ${off} ms off`);
      }
      const timeless = await heard("timeless");
      assert.equal(timeless.headers?.get("Petiole-Clock"), "unset");
      assert.equal(timeless.headers?.has("Petiole-Time"), false);
    });

    test("a calendar that runs years ahead for a moment expires nothing, and the times are put right", async () => {
      const place = stack.use(await openPlace(await startHub({ version }), { aheadMs: 0, bootId: BOOTS[0]! }));
      const { daemon, cutter, board, reading, heard } = place;
      await daemon.until("the link is ready", isReady);
      cutter.cut();
      await daemon.until("the link is down", (report) => !isReady(report));
      const first = await reading("first");
      await daemon.kill();
      board({ aheadMs: 9 * YEAR, bootId: BOOTS[1]! });
      await daemon.restart();
      const second = await reading("second");
      board({ aheadMs: 0, bootId: BOOTS[1]! });
      await place.logged(/clock was set/);
      cutter.heal();
      for (const [name, captured] of Object.entries({ first, second })) {
        const off = Date.parse((await heard(name)).headers!.get("Petiole-Time")) - captured;
        assert.ok(Math.abs(off) < PRECISION_MS, `${name}: ${off} ms off`);
      }
    });
  });
}

function isReady(report: StatusReport): boolean {
  return report.remotes[0]?.link.state === "ready";
}

/** A hub, a cable that can be cut, and a daemon on a board. */
async function openPlace(hub: Hub, first: Board) {
  await using scope = new AsyncDisposableStack();
  scope.use(hub);
  const cutter = scope.use(await LinkCutter.before(hub.server.port("leaf")));
  const folder = scope.use(await tempFolder("petiole-clock"));
  const [mqttPort] = await freePorts(1);
  const nats = await hub.connect();
  scope.defer(() => nats.close());
  const messages = new Map<string, Msg>();
  nats.subscribe("sensors.>", { callback: (_, message) => void messages.set(message.string(), message) });
  await nats.flush();
  const board = (wanted: Board) => setBoard(folder.path, wanted);
  board(first);
  const daemon = scope.use(
    await Daemon.start({
      dataDir: folder.path,
      mqttPort: mqttPort!,
      program: PROGRAM,
      remote: { urls: [cutter.through(hub.leafUrlAs(LEAF))] },
      settings: SETTINGS,
    }),
  );
  const owned = scope.move();
  return {
    daemon,
    cutter,
    board,
    /** Publishes it, safely; resolves with the true time at which it was captured. */
    reading: async (name: string): Promise<number> => {
      await using device = await mqttDevice(mqttPort!);
      const captured = Date.now();
      await device.publishAsync("sensors/clock", name, { qos: 1 });
      return captured;
    },
    heard: async (name: string): Promise<Msg> => {
      await daemon.until(`the hub has heard "${name}"`, () => messages.has(name));
      return messages.get(name)!;
    },
    logged: (words: RegExp) => daemon.until(`the log says ${words}`, () => words.test(daemon.log)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
