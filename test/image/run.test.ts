// The image of this machine's architecture under runc, read-only, with exactly the rights that our composition asks for, in a network
// of two machines: which rights the daemon has left, what of it can be changed, whom it serves, what it keeps.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { ownArchitecture } from "../../scripts/lib/image/architecture.ts";
import { cannotMakeNamespaces, NetNamespaces } from "../support/net-namespaces.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { builtImage } from "./support/built-image.ts";
import { Container } from "./support/container.ts";
import { boxSettings, Stranger } from "./support/stranger.ts";
import { plugIn } from "./support/terminal.ts";
import { type ComposeService, type Composition, readYaml } from "./support/yaml.ts";

const architecture = ownArchitecture();
const skip = cannotMakeNamespaces ?? false;

/** NET_ADMIN is right 12, NET_BIND_SERVICE right 10. */
const TWO_RIGHTS = ((1n << 12n) | (1n << 10n)).toString(16).padStart(16, "0");
const NO_RIGHT = "0".repeat(16);
const ANSWER_MS = 10_000;
/** How long nothing must come for it to count as silence. */
const SILENCE_MS = 400;

const composition = await readYaml<Composition>(path.resolve(import.meta.dirname, "../../image/docker-compose.yml"));
const service = composition.services["petiole"]!;
const image = skip === false ? await builtImage(architecture) : undefined;
const graceMs = Number.parseInt(service.stop_grace_period!, 10) * 1000;

interface Box extends AsyncDisposable {
  readonly net: NetNamespaces;
  readonly dataDir: string;
  start(like?: ComposeService): Promise<Container>;
}

/** A network and a data folder; `settings` null: the first start of a board. */
async function box(settings: string | null): Promise<Box> {
  await using scope = new AsyncDisposableStack();
  const { root } = image!;
  const net = scope.use(await NetNamespaces.make());
  const dataDir = scope.use(await tempFolder("petiole-image-data")).path;
  if (settings !== null) await fs.writeFile(path.join(dataDir, "settings.json"), settings);
  const owned = scope.move();
  return {
    net,
    dataDir,
    start: (like = service) => Container.run({ root, service: like, network: net.place("box"), dataDir }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function statusOf(pid: number): Promise<Readonly<Record<string, string>>> {
  const text = await fs.readFile(`/proc/${pid}/status`, "utf8");
  return Object.fromEntries(text.split("\n").map((line) => line.split(/:\s+/, 2)));
}

test("a board's first start: no process has a right left but two, and none can get more", { skip }, async () => {
  await using place = await box(null);
  await using container = await place.start();
  const names: string[] = [];
  for (const pid of await container.pids()) {
    const status = await statusOf(pid).catch(() => undefined); // nft comes and goes
    if (status === undefined) continue;
    const { Name, NoNewPrivs, CapInh, CapPrm, CapEff, CapBnd, CapAmb } = status;
    names.push(Name!);
    assert.deepEqual(
      { NoNewPrivs, CapInh, CapPrm, CapEff, CapBnd, CapAmb },
      { NoNewPrivs: "1", CapInh: TWO_RIGHTS, CapPrm: TWO_RIGHTS, CapEff: TWO_RIGHTS, CapBnd: TWO_RIGHTS, CapAmb: NO_RIGHT },
      `the rights of ${Name}`,
    );
  }
  assert.equal(names[0], "tini", "the first process has no more rights than the others");
  assert.ok(names.length >= 2, "and the daemon");
  const first = await fs.readFile(path.join(image!.root, "usr/share/petiole/settings.json"), "utf8");
  assert.equal(await fs.readFile(path.join(place.dataDir, "settings.json"), "utf8"), first);
});

test("only /data, memory and devices can be written to", { skip }, async () => {
  await using place = await box(null);
  await using container = await place.start();
  const mounts = (await container.exec("cat", "/proc/self/mounts")).stdout.trim().split("\n");
  const writable = mounts.flatMap((line) => {
    const [, where, type, options] = line.split(" ");
    return options!.split(",").includes("rw") && !["proc", "sysfs"].includes(type!) ? [where!] : [];
  });
  const expected = ["/data", "/run", "/tmp"];
  for (const where of writable) assert.ok(expected.includes(where) || /^\/(dev|etc)\b/.test(where), `${where} can be written to`);
  for (const where of expected) assert.ok(writable.includes(where), `${where} cannot be written to`);
  for (const folder of ["/", "/usr/bin", "/opt/petiole", "/etc", "/var/tmp"]) {
    const { output } = await container.exec("sh", "-c", `: > ${folder}/intruder`);
    assert.match(output, /Read-only file system/, folder);
  }
});

test("every device of the machine is seen, and the machine's /dev stays as it was", { skip }, async () => {
  const before = await fs.lstat("/dev/ptmx");
  await using place = await box(null);
  await using container = await place.start();
  const mounts = (await container.exec("cat", "/proc/self/mounts")).stdout;
  const types = [...mounts.matchAll(/^\S+ (\/dev\S*) (\S+)/gm)].map(([, where, type]) => `${where} ${type}`);
  for (const wanted of ["/dev devtmpfs", "/dev/pts devpts", "/dev/shm tmpfs"]) assert.ok(types.includes(wanted), wanted);
  const inside = (await container.exec("ls", "/dev")).stdout.trim().split("\n");
  const outside = await fs.readdir("/dev");
  assert.deepEqual(inside.sort(), outside.filter((name) => !name.startsWith(".")).sort());
  const after = await fs.lstat("/dev/ptmx");
  assert.deepEqual([after.ino, after.mode, after.ctimeMs], [before.ino, before.mode, before.ctimeMs]);
});

test("the health check of the composition passes inside", { skip }, async () => {
  await using place = await box(null);
  await using container = await place.start();
  const [kind, ...command] = service.healthcheck!.test;
  assert.equal(kind, "CMD");
  const { code, output } = await container.exec(...command);
  assert.equal(code, 0, output);
});

test("it serves MQTT, links to a hub, keeps what comes while the hub is gone, over a restart, too, and delivers it", {
  skip,
}, async () => {
  await using place = await box(boxSettings({ firewall: { enabled: true, lan_interfaces: ["lan0"] } }));
  await using stranger = await Stranger.come(place.net);
  {
    await using container = await place.start();
    await stranger.hearsLeaf();
    await stranger.mqttConnect();
    await stranger.mqttPublish("sensors/7/t", "first");
    await stranger.hears("sensors.7.t", "first");
    await stranger.stopHub();
    await stranger.mqttPublish("sensors/7/t", "kept");
    await stranger.mqttEnd();
    const { code, tookMs } = await container.stop();
    assert.equal(code, 0);
    assert.ok(tookMs < graceMs, `stopped after ${tookMs} ms, the engine kills after ${graceMs}`);
  }
  await using _container = await place.start();
  await stranger.startHub();
  await stranger.hears("sensors.7.t", "kept");
});

test("a serial device plugged in later is read through serialport's own binding", { skip }, async () => {
  const bench = {
    name: "bench",
    match: { path: "/dev/pts/0" },
    baud_rate: 115_200,
    framing: { type: "line" },
    decode: { type: "text" },
    subject: "sensors.bench",
  };
  await using place = await box(boxSettings({ serial: [bench] }));
  await using stranger = await Stranger.come(place.net);
  await using container = await place.start();
  await stranger.hearsLeaf();
  const plugged = await plugIn((await container.pids())[0]!);
  await using device = plugged.device;
  assert.equal(plugged.path, "/dev/pts/0");
  await container.process.says(/bench.*open/, ANSWER_MS);
  device.write("what came before the first line end may be half a line\n21.5\n");
  await stranger.hears("sensors.bench", "21.5");
});

test("without privilege it starts all the same, with the ports that were there, and says so", { skip }, async () => {
  const { privileged: _, ...rest } = service;
  await using place = await box(null);
  await using container = await place.start({ ...rest, cap_add: ["NET_ADMIN"] });
  assert.match(container.process.output, /may not see ports that are plugged in later/);
  const { CapEff, NoNewPrivs } = await statusOf((await container.pids())[1]!);
  assert.deepEqual({ CapEff, NoNewPrivs }, { CapEff: TWO_RIGHTS, NoNewPrivs: "1" });
});

test("of its ports only the doors are open to the network, by a packet filter of its own", { skip }, async () => {
  await using place = await box(
    boxSettings({ firewall: { enabled: true, lan_interfaces: ["lan0"] }, monitor: { listen: "0.0.0.0:8222" } }),
  );
  await using container = await place.start();
  await container.process.says(/packet filter is in force/, ANSWER_MS);
  assert.equal(await place.net.probe("10.77.0.1", 1883, ANSWER_MS), "open");
  assert.equal(await place.net.probe("10.77.0.1", 8222, SILENCE_MS), "silence");
  const { stdout } = await container.exec("/usr/sbin/nft", "list", "table", "inet", "petiole");
  assert.match(stdout, /door mqtt/);
});
