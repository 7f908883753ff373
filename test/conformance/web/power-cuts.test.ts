// A power cut at every step of what the page writes: users, the claim, the trail, a risky settings change, a factory reset.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Disk, readWhole, replaceWhole } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import { PetioleError } from "#base/errors.ts";
import { silentLog } from "#base/log.ts";
import { loadConfig } from "#config/load-config.ts";
import { SettingsFile } from "#config/settings-file.ts";
import { Audit } from "#web/server/audit.ts";
import { openClaimCode, readClaimCode } from "#web/server/claim-code.ts";
import { Users } from "#web/server/users.ts";
import { finishFactoryReset, isResetAsked, requestFactoryReset } from "../../../src/factory-reset.ts";
import { SettingsKeeper } from "../../../src/live/settings-keeper.ts";
import { beginUnconfirmed } from "../../../src/live/unconfirmed.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { fakeDisk } from "../../support/fake-disk.ts";

const STEPS_MAX = 200;
const HASH = `$scrypt$ln=1,r=1,p=1$${"A".repeat(22)}$${"A".repeat(43)}`;

/** Calls `act` with a cut after 1, 2, 3 … calls of the disk until it gets through; `look` sees what is left each time. */
async function cutEverywhere(
  prepare: (disk: Disk) => Promise<void>,
  act: (disk: Disk) => Promise<void>,
  look: (disk: Disk, isDone: boolean) => Promise<void>,
): Promise<number> {
  for (let calls = 1; calls <= STEPS_MAX; calls++) {
    const disk = fakeDisk({ seed: calls });
    await disk.makeDirectory("/data");
    await disk.syncDirectory("/");
    await prepare(disk.mount());
    disk.strikeAfter(calls);
    const isDone = await act(disk.mount()).then(
      () => true,
      () => false,
    );
    disk.strikeAfter(undefined);
    disk.powerCut();
    await look(disk.mount(), isDone);
    if (isDone) return calls;
  }
  assert.fail("it never got through");
}

const owner = { user: "olga", role: "owner", password: HASH, since: "2026-01-01T00:00:00.000Z" } as const;
const viewer = { user: "vera", role: "viewer", password: HASH, since: "2026-01-01T00:00:00.000Z" } as const;

test("after a power cut while a user is added, the users are those before or those after", async () => {
  const steps = await cutEverywhere(
    async (disk) => {
      await (await Users.open(disk, "/data")).add(owner);
    },
    async (disk) => {
      await (await Users.open(disk, "/data")).add(viewer);
    },
    async (disk, isDone) => {
      const users = await Users.open(disk, "/data");
      assert.ok(users.find("olga") !== undefined);
      if (isDone) assert.ok(users.find("vera") !== undefined, "told to be done, and is");
    },
  );
  assert.ok(steps > 5, `${steps} places to cut at`);
});

test("after a power cut while the claim code is made there is a whole one or none", async () => {
  await cutEverywhere(
    async () => undefined,
    async (disk) => {
      await openClaimCode(disk, "/data", systemEntropy());
    },
    async (disk, isDone) => {
      const code = await readClaimCode(disk, "/data");
      if (isDone) assert.match(code ?? "", /^[0-9a-z]{16}$/);
      assert.equal((await openClaimCode(disk, "/data", systemEntropy())).code.length, 16);
    },
  );
});

test("after a power cut the trail holds every line that was acknowledged, and takes new ones", async () => {
  const line = (user: string) => ({ action: "login", outcome: "done", user, address: "192.0.2.1" }) as const;
  for (let calls = 1; calls <= 40; calls++) {
    const disk = fakeDisk({ seed: calls });
    await disk.makeDirectory("/data");
    await disk.syncDirectory("/");
    const env = (each: Disk) => ({ disk: each, clock: new FakeClock(), log: silentLog() });
    const acknowledged: string[] = [];
    {
      const errors: string[] = [];
      const log = { ...silentLog(), error: (message: string) => void errors.push(message) };
      await using audit = await Audit.open("/data", { ...env(disk.mount()), log });
      disk.strikeAfter(calls);
      for (let i = 0; i < 12; i++) {
        await audit.note(line(`user-${i}`));
        if (errors.length === 0) acknowledged.push(`user-${i}`);
      }
    }
    disk.strikeAfter(undefined);
    disk.powerCut();
    await using audit = await Audit.open("/data", env(disk.mount()));
    await audit.note(line("afterwards"));
    const kept = (await audit.last(100)).map(({ user }) => user).reverse();
    assert.deepEqual(kept.slice(0, acknowledged.length), acknowledged, `cut at ${calls}`);
    assert.equal(kept.at(-1), "afterwards");
  }
});

const BEFORE = { web: { listen: "0.0.0.0:80" }, server_name: "gw-7" };
const AFTER = { web: { listen: "0.0.0.0:8080" }, server_name: "gw-7" };

const clocks = new WeakMap<SettingsKeeper, FakeClock>();
const clockOf = (keeper: SettingsKeeper) => clocks.get(keeper)!;

async function keeperOn(disk: Disk): Promise<SettingsKeeper> {
  const clock = new FakeClock();
  const entropy = systemEntropy();
  const loaded = await loadConfig({ dataDir: "/data", env: {}, disk, entropy });
  const keeper = new SettingsKeeper({
    settings: loaded.settings,
    overrides: [],
    context: { deviceId: "device", dataDir: "/data" },
    unconfirmed: undefined,
    env: { clock, disk, entropy, log: silentLog() },
    restart: () => undefined,
  });
  clocks.set(keeper, clock);
  return keeper;
}

test("after a power cut in the middle of a settings write the old settings run or the new ones, and the new ones wait for confirmation", async () => {
  const seen = new Set<string>();
  await cutEverywhere(
    async (disk) => {
      await new SettingsFile(disk, "/data/settings.json").write(structuredClone(BEFORE));
      await keeperOn(disk);
    },
    async (disk) => {
      using keeper = await keeperOn(disk);
      await keeper.write(structuredClone(AFTER), (await keeper.view()).revision, true);
    },
    async (disk, isDone) => {
      const previous = await beginUnconfirmed(disk, "/data", new SettingsFile(disk, "/data/settings.json"), silentLog());
      const { config, source } = await loadConfig({ dataDir: "/data", env: {}, disk, entropy: systemEntropy() });
      const port = config?.web?.listen.port;
      assert.equal(source, "settings.json");
      assert.ok(port === 80 || port === 8080, String(port));
      if (isDone) assert.equal(port, 8080);
      if (port === 8080) assert.deepEqual(previous, BEFORE, "no new settings without a way back");
      else assert.equal(previous, undefined);
      seen.add(`${port}`);
    },
  );
  assert.equal(seen.size, 2);
});

test("a change that is tried at once and meets a power cut before it is confirmed is gone; confirmed, taken back or refused, it stays so", async () => {
  for (const end of ["none", "confirm", "revert", "refuse"] as const) {
    await cutEverywhere(
      async (disk) => {
        await new SettingsFile(disk, "/data/settings.json").write(structuredClone(BEFORE));
        await keeperOn(disk);
      },
      async (disk) => {
        using keeper = await keeperOn(disk);
        keeper.attach({
          running: (await loadConfig({ dataDir: "/data", env: {}, disk, entropy: systemEntropy() })).config!,
          plan: () => ({ now: ["web"], atRestart: [] }),
          apply: async () => {
            if (end === "refuse") throw new PetioleError("TAKEN", "another program uses this port");
          },
          reopenPage: async () => null,
        });
        const written = keeper.write(structuredClone(AFTER), (await keeper.view()).revision, true);
        if (end === "refuse") return await assert.rejects(written, { code: "WEB_APPLY" });
        await written;
        if (end === "none") return;
        await clockOf(keeper).pass(500); // the page has opened anew
        await (end === "confirm" ? keeper.confirm() : keeper.revert());
      },
      async (disk, isDone) => {
        const lives: (number | undefined)[] = [];
        for (let start = 0; start < 2; start++) {
          const previous = await beginUnconfirmed(disk, "/data", new SettingsFile(disk, "/data/settings.json"), silentLog());
          assert.equal(previous, undefined, "its one start was the trial");
          const { config } = await loadConfig({ dataDir: "/data", env: {}, disk, entropy: systemEntropy() });
          lives.push(config?.web?.listen.port);
        }
        if (isDone) assert.deepEqual(lives, end === "confirm" ? [8080, 8080] : [80, 80], end);
        else assert.ok(lives[0] === lives[1] && (lives[0] === 80 || end === "confirm"), `${end}: ${lives.join()}`);
      },
    );
  }
});

test("a factory reset goes on after any power cut until nothing of the owner is left", async () => {
  const removeFolder = async () => undefined; // this disk has no call for it
  const place = { dataDir: "/data", settingsFile: "/data/settings.json", removeFolder };
  await cutEverywhere(
    async (disk) => {
      await new SettingsFile(disk, "/data/settings.json").write(structuredClone(BEFORE));
      await (await Users.open(disk, "/data")).add(owner);
      await replaceWhole(disk, "/data/secrets", "outbox.key", Buffer.alloc(32, 9));
      await replaceWhole(disk, "/data", "last-crash.json", Buffer.from("the log names users and hubs"));
      await disk.makeDirectory("/data/outbox");
      await disk.makeDirectory("/data/outbox/EDGE");
      for (const folder of ["/data", "/data/outbox"]) await disk.syncDirectory(folder);
      await replaceWhole(disk, "/data/outbox/EDGE", "1.segment", Buffer.from("readings"));
      await requestFactoryReset(disk, "/data");
    },
    async (disk) => {
      await finishFactoryReset(place, { disk, entropy: systemEntropy(), log: silentLog() });
    },
    async (disk, isDone) => {
      if (isDone) assert.equal(await isResetAsked(disk, "/data"), false);
      await finishFactoryReset(place, { disk, entropy: systemEntropy(), log: silentLog() });
      for (const path of [
        "settings.json",
        "settings.json.last",
        "last-crash.json",
        "secrets/web-users.json",
        "secrets/outbox.key",
        "outbox/EDGE/1.segment",
      ])
        assert.equal(await readWhole(disk, `/data/${path}`, 100), undefined, path);
    },
  );
});

test("a write that failed does not take back the next change", async () => {
  const disk = fakeDisk();
  await disk.makeDirectory("/data");
  await new SettingsFile(disk.mount(), "/data/settings.json").write(structuredClone(BEFORE));
  using keeper = await keeperOn(disk.mount());
  const { revision } = await keeper.view();
  disk.faults.failWriteIn = 2; // the mark is written, the settings are not
  await assert.rejects(keeper.write(structuredClone(AFTER), revision, true), { code: "EIO" });
  const later = { ...BEFORE, server_name: "gw-8" };
  await keeper.write(structuredClone(later), (await keeper.view()).revision, true);
  for (let start = 0; start < 3; start++) {
    assert.equal(await beginUnconfirmed(disk, "/data", new SettingsFile(disk, "/data/settings.json"), silentLog()), undefined);
    const current = await new SettingsFile(disk, "/data/settings.json").current();
    assert.deepEqual(current.state === "whole" && current.document, later);
  }
});
