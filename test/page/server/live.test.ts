// What of a change comes into force while the spoke runs, and what a change that cannot leaves behind.

import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import type { Env } from "#base/env.ts";
import type { Exec } from "#base/exec.ts";
import { type LogGate, silentLog } from "#base/log.ts";
import { systemNet } from "#base/net.ts";
import type { Json } from "#base/schema.ts";
import { Secret } from "#base/secret.ts";
import { type Config, parseConfig } from "#config/config.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import { isSameConfig } from "../../../src/live/same-config.ts";
import { openSpoke, type Spoke, systemMachine } from "../../../src/spoke.ts";
import { freePorts } from "../../support/free-ports.ts";
import { tempFolder } from "../../support/temp-folder.ts";

type Document = { readonly [key: string]: Json };

const HASH = `$scrypt$ln=1,r=1,p=1$${"A".repeat(22)}$${"B".repeat(43)}`;
const REMOTE = { urls: ["nats-leaf://leaf:leaf-password@127.0.0.1:9"], account: "EDGE" };
const PLAIN: Document = {
  server_name: "gw-1",
  accounts: [{ name: "EDGE", users: [{ user: "pump", password: HASH, permissions: { publish: ["a.>"] } }] }],
  leafnodes: { remotes: [REMOTE] },
  host: null,
  monitor: null,
  serial: [
    {
      name: "bench",
      match: { path: "/dev/ttyNONE" },
      baud_rate: 9600,
      framing: { type: "line" },
      decode: { type: "regex", pattern: "(?<t>\\d+)" },
      subject: "s.{field}",
    },
  ],
};

/** Takes every ruleset, or refuses each; remembers what it was told. */
class FakeNft implements Exec {
  readonly told: string[] = [];
  isRefusing = false;

  async run({ args }: { readonly args: readonly string[] }) {
    const answer = { stdout: "", killed: null };
    if (args.includes("list")) return { ...answer, status: 1, stderr: "No such file or directory" };
    if (this.isRefusing) return { ...answer, status: 1, stderr: "Operation not permitted" };
    this.told.push(args.join(" "));
    return { ...answer, status: 0, stderr: "" };
  }
}

interface Bench extends AsyncDisposable {
  readonly logGate: LogGate;
  readonly spoke: Spoke;
  readonly nft: FakeNft;
  config(changed: Document): Config;
}

async function open(): Promise<Bench> {
  await using scope = new AsyncDisposableStack();
  const dataDir = scope.use(await tempFolder("petiole-live")).path;
  const clock = systemClock();
  const env: Env = {
    clock,
    disk: systemDisk(),
    net: systemNet(),
    tty: systemTty(),
    entropy: systemEntropy(),
    log: silentLog(),
  };
  const nft = new FakeNft();
  const config = (changed: Document) => {
    const parsed = parseConfig({ ...PLAIN, ...changed }, { deviceId: "device", dataDir });
    assert.deepEqual(parsed.faults, []);
    return parsed.config!;
  };
  const machine = { ...systemMachine(), exec: nft };
  const logGate: LogGate = { least: "error" };
  const facts = { dataDir, version: "test", logGate };
  const spoke = scope.use(await openSpoke(config({}), facts, env, new AbortController().signal, machine));
  const owned = scope.move();
  return { logGate, spoke, nft, config, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test("settings that say the same change nothing, however often they are read", async () => {
  await using bench = await open();
  assert.deepEqual(bench.spoke.live.plan(bench.config({})), { now: [], atRestart: [] });
  assert.ok(isSameConfig(new Secret("a"), new Secret("a")));
  assert.ok(!isSameConfig({ password: new Secret("a") }, { password: new Secret("b") }), "secrets are looked into");
  assert.ok(!isSameConfig({ a: /x/g }, { a: /x/ }));
  assert.ok(!isSameConfig([1, 2], [1]));
  assert.ok(!isSameConfig({ a: undefined }, {}));
  assert.ok(!isSameConfig(null, {}));
});

test("each key is in force at once or at the next start, as it is safe", async () => {
  await using bench = await open();
  const plan = (changed: Document) => {
    const { now, atRestart } = bench.spoke.live.plan(bench.config(changed));
    return `now ${now.join()} restart ${atRestart.join()}`;
  };
  const users = (more: object) => [{ name: "EDGE", users: [{ user: "pump", password: HASH, ...more }] }] as never;
  assert.equal(plan({ server_name: "gw-2" }), "now  restart server_name");
  assert.equal(plan({ limits: { max_payload: "64KiB" } }), "now  restart limits");
  assert.equal(plan({ monitor: { listen: "127.0.0.1:0" } }), "now  restart monitor");
  assert.equal(plan({ accounts: users({ permissions: { publish: ["b.>"] } }) }), "now accounts restart ");
  assert.equal(plan({ accounts: [{ name: "OTHER" }], leafnodes: {} }), "now  restart accounts,leafnodes");
  assert.equal(plan({ leafnodes: { remotes: [] } }), "now  restart leafnodes");
  assert.equal(plan({ leafnodes: { remotes: [{ ...REMOTE, isolated: false }] } }), "now leafnodes restart ");
  assert.equal(plan({ leafnodes: { remotes: [REMOTE, { ...REMOTE, name: "two" }] } }), "now leafnodes restart ");
  assert.equal(plan({ leafnodes: { remotes: [{ ...REMOTE, name: "two" }] } }), "now  restart leafnodes");
  assert.equal(plan({ outbox: { max_age: "1d" } }), "now outbox restart ");
  assert.equal(plan({ outbox: { encryption: true } }), "now  restart outbox");
  assert.equal(plan({ outbox: { max_bytes: "1MiB" } }), "now  restart outbox");
  assert.equal(plan({ listen: "127.0.0.1:0", serial: [], mqtt: {} }), "now mqtt,listen,serial restart ");
  assert.equal(plan({ firewall: { enabled: true } }), "now firewall restart ");
});

test("the filter opens a door before it is there, and closes it behind one that goes", async () => {
  await using bench = await open();
  const { live } = bench.spoke;
  const firewall = { enabled: true, lan_interfaces: ["lan0"] };
  const [port] = (await freePorts(1)) as [number];
  const isOpenIn = (told: readonly string[]) => told.join().includes(String(port)); // on loopback there would be nothing to open
  await live.apply(bench.config({ firewall }));
  assert.ok(bench.nft.told.length > 0 && !isOpenIn(bench.nft.told));
  assert.equal(bench.spoke.report().packet_filter?.state, "applied");
  await live.apply(bench.config({ firewall, mqtt: { listen: `0.0.0.0:${port}` } }));
  assert.ok(isOpenIn(bench.nft.told));
  const before = bench.nft.told.length;
  await live.apply(bench.config({ firewall }));
  assert.ok(bench.nft.told.length > before && !isOpenIn(bench.nft.told.slice(before)));
  assert.equal(bench.spoke.mqttEndpoint, null);
});

test("a step that fails leaves everything as it was, and says why", async () => {
  await using bench = await open();
  const { live } = bench.spoke;
  bench.nft.isRefusing = true;
  const wanted = bench.config({
    firewall: { enabled: true },
    accounts: [{ name: "EDGE", users: [] }],
    mqtt: { listen: "127.0.0.1:0" },
    outbox: { max_age: "1d" },
  });
  await assert.rejects(live.apply(wanted), (error: Error & { code?: string }) => {
    assert.equal(error.code, "LIVE_FAILED");
    assert.match(error.message, /what was before it is back: .*Operation not permitted/);
    return true;
  });
  assert.equal(bench.spoke.mqttEndpoint, null, "later steps were not begun");
  assert.deepEqual(live.plan(bench.config({})), { now: [], atRestart: [] }, "what ran before runs");
  assert.deepEqual([...live.plan(wanted).now].sort(), ["accounts", "firewall", "mqtt", "outbox"]);
  bench.nft.isRefusing = false;
  await live.apply(wanted);
  assert.notEqual(bench.spoke.mqttEndpoint, null);
  assert.equal(bench.logGate.least, "info");
  assert.deepEqual(live.plan(wanted).now, []);
  await live.apply(bench.config({ log_level: "debug" }));
  assert.equal(bench.logGate.least, "debug");
});

test("a door that cannot be opened anew opens where it was", async () => {
  await using bench = await open();
  await using other = await open();
  const { live } = bench.spoke;
  await live.apply(bench.config({ mqtt: { listen: "127.0.0.1:0" }, listen: "127.0.0.1:0" }));
  await other.spoke.live.apply(other.config({ listen: "127.0.0.1:0" }));
  const taken = `127.0.0.1:${other.spoke.natsEndpoint!.port}`;
  const wanted = bench.config({ mqtt: null, listen: taken });
  await assert.rejects(live.apply(wanted), /another program uses this port/);
  assert.notEqual(bench.spoke.mqttEndpoint, null, "MQTT, which was closed before, is open again");
  assert.notEqual(bench.spoke.natsEndpoint, null);
  assert.equal(bench.spoke.report().serial.length, 1);
});
