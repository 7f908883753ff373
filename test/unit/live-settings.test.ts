// Live changes of the settings where only a fault of disk, port or timing shows what they are worth: parts that cannot go back, marks that a
// failed write leaves behind, views that outlive what they look at.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { Disk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import { PetioleError } from "#base/errors.ts";
import { createLog, silentLog } from "#base/log.ts";
import { loadConfig } from "#config/load-config.ts";
import { SettingsFile } from "#config/settings-file.ts";
import { PageHost } from "../../src/desks/page-host.ts";
import { createSerialDesk } from "../../src/desks/serial-desk.ts";
import type { LiveDesk } from "../../src/live/live-settings.ts";
import { Replaceable } from "../../src/live/replaceable.ts";
import { SettingsKeeper } from "../../src/live/settings-keeper.ts";
import { beginUnconfirmed } from "../../src/live/unconfirmed.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { fakeDisk } from "../support/fake-disk.ts";
import { FakeTty } from "../support/fake-tty.ts";
import { serialPort } from "../support/serial-options.ts";

let clock: FakeClock;
const taken = () => new PetioleError("PORT_TAKEN", "another program uses this port");

beforeEach(() => {
  clock = new FakeClock();
});

/** A door that opens where nobody is, and what became of it. */
function door() {
  const log: string[] = [];
  const blocked = new Set<string>();
  const opened: string[] = [];
  let open = 0;
  const part = new Replaceable(
    "the door",
    async (place: string) => {
      if (blocked.has(place)) throw taken();
      opened.push(place);
      open += 1;
      return { [Symbol.asyncDispose]: async () => void (open -= 1) };
    },
    { clock, log: createLog(clock, "info", (line) => log.push(line.message)) },
  );
  return { part, blocked, opened, log, count: () => open };
}

test("a part that can open neither as it is to be nor as it was is tried again as it was, until it opens", async () => {
  const { part, blocked, opened, log, count } = door();
  await part.start("old");
  blocked.add("old").add("new");
  await assert.rejects(part.change("old", "new"), (error: PetioleError) => {
    assert.equal(error.code, "LIVE_GONE");
    assert.match(error.message, /nor as it was/);
    return true;
  });
  await clock.pass(60_000);
  assert.deepEqual([count(), clock.pending], [0, 1], "one timer, however often");
  assert.match(part.fault ?? "", /^the door cannot be opened: another program uses this port; it is tried again/);
  blocked.clear();
  await clock.pass(10_000);
  assert.deepEqual([opened, count(), clock.pending], [["old", "old"], 1, 0]);
  assert.equal(log.at(-1), "a part is back as it was");
  assert.equal(part.fault, null);
  await part[Symbol.asyncDispose]();
  assert.equal(count(), 0);
});

test("who wants something else of a part that is gone ends its attempts, and so does closing", async () => {
  const { part, blocked, opened, count } = door();
  await part.start("old");
  blocked.add("old").add("new");
  await assert.rejects(part.change("old", "new"));
  await part.change("old", "third");
  await clock.pass(60_000);
  assert.deepEqual([opened, count(), clock.pending], [["old", "third"], 1, 0]);
  blocked.add("third");
  await assert.rejects(part.change("third", "new"));
  await part[Symbol.asyncDispose]();
  blocked.clear();
  await clock.pass(60_000);
  assert.deepEqual([count(), clock.pending], [0, 0]);
});

const SETTINGS = { web: { listen: "0.0.0.0:80" }, server_name: "gw-7", log_level: "info" };

async function keeperOn(disk: Disk): Promise<SettingsKeeper> {
  const entropy = systemEntropy();
  const { settings } = await loadConfig({ dataDir: "/data", env: {}, disk, entropy });
  const context = { deviceId: "device", dataDir: "/data" };
  const env = { clock, disk, entropy, log: silentLog() };
  return new SettingsKeeper({ settings, overrides: [], context, unconfirmed: undefined, env, restart: () => undefined });
}

test("what a failed write of a risky change left behind takes back nothing that was acknowledged later", async () => {
  const disk = fakeDisk();
  await disk.makeDirectory("/data");
  await new SettingsFile(disk, "/data/settings.json").write(structuredClone(SETTINGS));
  let isFull = false;
  const failing = new Proxy<Disk>(disk, {
    get(target, key) {
      const member: unknown = target[key as keyof Disk];
      if (key !== "rename") return typeof member === "function" ? member.bind(target) : member;
      return async (from: string, to: string) => {
        if (isFull && to.endsWith("settings.json")) throw Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
        await target.rename(from, to);
      };
    },
  });
  using keeper = await keeperOn(failing);
  const put = async (change: object) => {
    const { revision } = await keeper.view();
    return await keeper.write({ ...SETTINGS, ...change }, revision, true);
  };
  isFull = true;
  await assert.rejects(put({ web: { listen: "0.0.0.0:8080" } }), { code: "ENOSPC" });
  isFull = false;
  let applies = 0;
  const live: LiveDesk = {
    running: undefined as never,
    plan: () => ({ now: ["log_level"], atRestart: [] }),
    apply: async () => {
      applies += 1;
      if (applies === 1) throw taken();
    },
    reopenPage: async () => null,
  };
  keeper.attach(live);
  await assert.rejects(put({ log_level: "debug" }), { code: "WEB_APPLY" });
  await put({ log_level: "warn" });
  const file = new SettingsFile(disk, "/data/settings.json");
  assert.equal(await beginUnconfirmed(disk, "/data", file, silentLog()), undefined);
  assert.equal((await file.read())?.["log_level"], "warn");
});

test("a view of a port goes on at the port that a change of the settings has opened in its place, and ends with the last one", () => {
  let ports = [
    serialPort({
      name: "weather",
      match: { path: "/dev/ttyS0" },
      framing: { type: "line" },
      decode: { type: "text" },
      subject: "a.b",
    }),
  ];
  const ingressOf = (baudRate: number) => {
    let chunk: ((bytes: Buffer) => void) | undefined;
    const listen = (name: string, onChunk: (bytes: Buffer) => void) => {
      if (name !== "weather") return undefined;
      chunk = onChunk;
      const end = { [Symbol.dispose]: () => void (chunk = undefined) };
      return { facts: { port: name, path: "/dev/ttyS0", baud_rate: baudRate } as never, end };
    };
    return { listen, say: (text: string) => chunk?.(Buffer.from(text)), isHeard: () => chunk !== undefined };
  };
  const first = ingressOf(9600);
  const second = ingressOf(19_200);
  let ingress: ReturnType<typeof ingressOf> | null = first;
  const desk = createSerialDesk({
    tty: new FakeTty(),
    clock,
    ports: () => ports,
    ingress: () => ingress,
    status: () => ({ serial: [] }),
  });
  const heard: string[] = [];
  const tapped = desk.listen("weather", {
    wantsFrame: () => true,
    onFrame: ({ bytes }) => void heard.push(bytes.toString()),
    onMoved: (facts) => void heard.push(facts === null ? "gone" : `at ${(facts as { baud_rate: number }).baud_rate}`),
  });
  first.say("1\n");
  ingress = null; // between the old ports and the new
  clock.advance(1_000);
  ingress = second;
  clock.advance(1_000);
  second.say("2\n");
  assert.deepEqual(heard, ["1", "at 19200", "2"]);
  assert.equal(first.isHeard(), false);
  ports = [];
  ingress = null;
  clock.advance(3_000);
  assert.equal(heard.at(-1), "gone");
  assert.equal(heard.filter((each) => each === "gone").length, 1);
  tapped!.end[Symbol.dispose]();
  assert.deepEqual([second.isHeard(), clock.pending], [false, 0]);
});

test("a mark that outlives a refused risky change, because the disk failed meanwhile, takes back nothing that was acknowledged later", async () => {
  for (const call of ["remove", "syncDirectory"] as const) {
    const disk = fakeDisk();
    await disk.makeDirectory("/data");
    await new SettingsFile(disk, "/data/settings.json").write(structuredClone(SETTINGS));
    let isFailing = false;
    let applies = 0;
    const failing = new Proxy<Disk>(disk, {
      get(target, key) {
        const member: unknown = target[key as keyof Disk];
        if (typeof member !== "function") return member;
        return async (...rest: unknown[]) => {
          if (isFailing && key === call) throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
          return await (member as (...all: unknown[]) => Promise<unknown>).apply(target, rest);
        };
      },
    });
    using keeper = await keeperOn(failing);
    keeper.attach({
      running: undefined as never,
      plan: () => ({ now: ["web"], atRestart: [] }),
      apply: async () => {
        applies += 1;
        if (call === "syncDirectory" || applies > 1) return;
        isFailing = true;
        throw taken();
      },
      reopenPage: async () => null,
    });
    const put = async (change: object) => {
      const { document, revision } = await keeper.view();
      return await keeper.write({ ...(document as object), ...change }, revision, true);
    };
    isFailing = call === "syncDirectory"; // the mark itself, or what follows a refusal
    await assert.rejects(put({ web: { listen: "0.0.0.0:8080" } }), { code: "EIO" }, call);
    isFailing = false;
    await put({ log_level: "warn" });
    const file = new SettingsFile(disk, "/data/settings.json");
    assert.equal(await beginUnconfirmed(disk, "/data", file, silentLog()), undefined, call);
    assert.equal((await file.read())?.["log_level"], "warn", call);
  }
});

test("an unconfirmed change that the disk does not let be taken back is taken back once it does, without a restart", async () => {
  const disk = fakeDisk();
  await disk.makeDirectory("/data");
  await new SettingsFile(disk, "/data/settings.json").write(structuredClone(SETTINGS));
  let isFull = false;
  const open: Disk["open"] = async (path, mode) => {
    if (isFull && mode !== "read") throw Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
    return await disk.open(path, mode);
  };
  const failing = new Proxy<Disk>(disk, {
    get(target, key) {
      const member: unknown = key === "open" ? open : target[key as keyof Disk];
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  using keeper = await keeperOn(failing);
  const inForce: unknown[] = [];
  keeper.attach({
    running: undefined as never,
    plan: () => ({ now: ["web"], atRestart: [] }),
    apply: async ({ web }) => void inForce.push(web?.listen.port),
    reopenPage: async () => null,
  });
  const { revision } = await keeper.view();
  await keeper.write({ ...SETTINGS, web: { listen: "0.0.0.0:8080" } }, revision, true);
  isFull = true;
  await clock.pass(95_000);
  assert.deepEqual(inForce, [8080]);
  assert.notEqual((await keeper.view()).pending, null, "it can still be confirmed");
  isFull = false;
  await clock.pass(90_000);
  await keeper.settled();
  assert.deepEqual(inForce, [8080, 80]);
  const { pending, document } = await keeper.view();
  assert.deepEqual([pending, document], [null, SETTINGS]);
});

test("a page that cannot be opened is tried again by one timer, also where it was time to try while it moved", async () => {
  const host = new PageHost(async () => Promise.reject(taken()), { clock, log: silentLog() });
  const options = { listen: { host: "127.0.0.1", port: 80 }, tls: null } as never;
  await host.change(options);
  const moved = host.change(options);
  clock.advance(30_000); // before the move has begun
  await moved;
  await clock.pass(300_000);
  assert.equal(clock.pending, 1);
  await host[Symbol.asyncDispose]();
  assert.equal(clock.pending, 0);
});

test("a change that the disk let be taken back half-way cannot be confirmed: the file has what was before", async () => {
  const disk = fakeDisk();
  await disk.makeDirectory("/data");
  await new SettingsFile(disk, "/data/settings.json").write(structuredClone(SETTINGS));
  let isFailing = false;
  const remove: Disk["remove"] = async (path) => {
    if (isFailing && path.endsWith("settings.unconfirmed")) throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
    await disk.remove(path);
  };
  const failing = new Proxy<Disk>(disk, {
    get(target, key) {
      const member: unknown = key === "remove" ? remove : target[key as keyof Disk];
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  using keeper = await keeperOn(failing);
  const plan = () => ({ now: ["web"], atRestart: [] });
  keeper.attach({ running: undefined as never, plan, apply: async () => undefined, reopenPage: async () => null });
  const { revision } = await keeper.view();
  await keeper.write({ ...SETTINGS, web: { listen: "0.0.0.0:8080" } }, revision, true);
  await clock.pass(1_000);
  isFailing = true;
  await assert.rejects(keeper.revert(), { code: "EIO" });
  isFailing = false;
  await assert.rejects(keeper.confirm(), /taken back already/);
  await keeper.revert();
  const { document, pending, restart_needed } = await keeper.view();
  assert.deepEqual([document, pending, restart_needed], [SETTINGS, null, false]);
});
