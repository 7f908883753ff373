// The daemon as its owner meets it: arguments, settings, signals, exit codes.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { freePorts } from "../support/free-ports.ts";
import { LEAF, startHub } from "../support/hub.ts";
import { SpawnedProcess } from "../support/processes.ts";
import { Daemon, mqttDevice } from "../support/spoke.ts";
import { tempFolder } from "../support/temp-folder.ts";

const MAIN = path.resolve(import.meta.dirname, "../../src/main.ts");

async function petiole(...args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  await using run = await SpawnedProcess.start(process.execPath, [MAIN, ...args]);
  const { code } = await run.exited;
  return { code, stdout: run.stdout, stderr: run.stderr };
}

test("an unknown command, a missing part and a stray word end with 2 and say what there is", async () => {
  for (const [args, words] of [
    [["fly"], /no command "fly"/],
    [["doctor", "now"], /"now" was not expected/],
    [["run", "now"], /"now" was not expected/],
    [["run", "--port", "1"], /--port/],
  ] as const) {
    const { code, stderr } = await petiole(...args);
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr, words);
    assert.match(stderr, /petiole --help/);
  }
});

test("--help shows every command with an example", async () => {
  const { code, stdout } = await petiole("--help");
  assert.equal(code, 0);
  for (const command of ["run", "check", "status"]) assert.match(stdout, new RegExp(`petiole ${command} `));
});

test("check lists every fault at once, for people and for programs, and exits with 1", async () => {
  await using folder = await tempFolder();
  await fs.writeFile(
    path.join(folder.path, "settings.json"),
    '{"server_nam": "x", "mqtt": {"max_packet": "5 apples"}, "host": {"interval": "soon"}, "leafnodes": {"remotes": [{"urls": ["http://h"]}]}}',
  );
  const people = await petiole("check", "--data", folder.path);
  assert.equal(people.code, 1);
  for (const words of [/server_nam.*server_name/s, /mqtt\.max_packet.*5 apples/s, /host\.interval.*soon/s, /urls\[0\].*http/s])
    assert.match(people.stdout, words);
  const programs = await petiole("check", "--data", folder.path, "--json");
  assert.deepEqual((JSON.parse(programs.stdout) as { faults: { path: string }[] }).faults.map((fault) => fault.path).sort(), [
    "host.interval",
    "leafnodes.remotes[0].urls[0]",
    "mqtt.max_packet",
    "server_nam",
  ]);
  assert.deepEqual(await fs.readdir(folder.path), ["settings.json"], "check writes nothing");
});

test("run with faulty first settings exits with 1 and names each fault", async () => {
  await using folder = await tempFolder();
  await fs.writeFile(path.join(folder.path, "settings.json"), '{"mqtt": {"listen": "nonsense"}}');
  const { code, stderr } = await petiole("run", "--data", folder.path);
  assert.equal(code, 1);
  assert.match(stderr, /mqtt\.listen/);
});

test("settings broken after a good start: the last good ones run, loudly", async () => {
  await using folder = await tempFolder();
  const [mqttPort] = await freePorts(1);
  await using daemon = await Daemon.start({ dataDir: folder.path, mqttPort: mqttPort! });
  assert.equal(await daemon.stop(), 0);
  await fs.writeFile(path.join(folder.path, "settings.json"), '{"mqtt": {');
  await daemon.restart();
  assert.match(daemon.log, /the last good settings run instead/);
  await using device = await mqttDevice(mqttPort!);
  assert.ok(device.connected);
});

test("a second daemon on the same directory is refused by name, and the first goes on", async () => {
  await using folder = await tempFolder();
  const [mqttPort] = await freePorts(1);
  await using daemon = await Daemon.start({ dataDir: folder.path, mqttPort: mqttPort! });
  const { code, stderr } = await petiole("run", "--data", folder.path);
  assert.equal(code, 1);
  assert.match(stderr, /another petiole daemon works in/);
  const { server_name } = await daemon.until("the first answers", () => true);
  assert.equal(server_name, "gw-test");
});

test("an outbox that no remote binds any more is left alone and told", async () => {
  await using folder = await tempFolder();
  const [mqttPort] = await freePorts(1);
  await fs.mkdir(path.join(folder.path, "outbox", "OLD"), { recursive: true });
  await using daemon = await Daemon.start({ dataDir: folder.path, mqttPort: mqttPort! });
  assert.match(daemon.log, /no remote binds.*outbox\/OLD/);
  assert.ok((await fs.stat(path.join(folder.path, "outbox", "OLD"))).isDirectory());
});

test("status without a daemon says so and exits with 1", async () => {
  await using folder = await tempFolder();
  const { code, stderr } = await petiole("status", "--data", folder.path);
  assert.equal(code, 1);
  assert.match(stderr, /no daemon runs in this data directory/);
});

test("SIGTERM under load: every acknowledgement that was given is kept, the exit is clean", async () => {
  await using hub = await startHub({ version: "2.15" });
  const nats = await hub.connect();
  const got = new Set<string>();
  nats.subscribe("sensors.>", { callback: (_, message) => void got.add(message.string()) });
  await nats.flush();
  await using folder = await tempFolder();
  const [mqttPort] = await freePorts(1);
  await using daemon = await Daemon.start({
    dataDir: folder.path,
    mqttPort: mqttPort!,
    remote: { urls: [hub.leafUrl], user: LEAF.user, password: LEAF.password },
  });
  await daemon.until("the link is ready", ({ remotes }) => remotes[0]!.link.state === "ready");
  await using device = await mqttDevice(mqttPort!);
  const acked: string[] = [];
  const closed = new Promise<void>((resolve) => device.once("close", resolve));
  let next = 0;
  const lanes = Array.from({ length: 20 }, async () => {
    for (;;) {
      const payload = `m${next++}`;
      const answer = device.publishAsync("sensors/a", payload, { qos: 1 }).then(
        () => true,
        () => false,
      );
      if (!(await Promise.race([answer, closed.then(() => false)]))) return;
      acked.push(payload);
      if (acked.length === 500) void daemon.stop();
    }
  });
  await Promise.all(lanes);
  assert.equal(await daemon.stop(), 0);
  await daemon.restart(); // whatever was only on flash goes up now
  await daemon.until("everything is up", ({ remotes }) => remotes[0]!.link.state === "ready" && remotes[0]!.outbox.depth === 0);
  await nats.flush();
  assert.deepEqual(
    acked.filter((payload) => !got.has(payload)),
    [],
  );
  await nats.close();
});
