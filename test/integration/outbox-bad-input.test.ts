// An outbox that somebody else had in his hands: the daemon starts, loses nothing it can read, and says what it found. A sample with
// the real daemon; every byte of every file is the business of test/unit/journal/. The directory as a whole: outbox-directory.test.ts

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { after, before, suite, test } from "node:test";
import { crc32c } from "#base/crc32c.ts";
import { build } from "../../scripts/build.ts";
import { freePorts } from "../support/free-ports.ts";
import { type Hub, LEAF, startHub } from "../support/hub.ts";
import { LinkCutter } from "../support/link-cutter.ts";
import { SpawnedProcess } from "../support/processes.ts";
import { Daemon, mqttDevice } from "../support/spoke.ts";
import { type TempFolder, tempFolder } from "../support/temp-folder.ts";

const MESSAGES = 300;
const VERSION_AT = 8;
const HEADER_BYTES_AT = 12;
const LATER_VERSION = 4_000;

let folder: TempFolder | undefined;
let program: string;

before(async () => {
  folder = await tempFolder("petiole-bad-input");
  const outFolder = path.join(folder.path, "program");
  await build({ outFolder });
  program = path.join(outFolder, "petiole.js");
});
after(() => folder?.[Symbol.asyncDispose]());

suite("an outbox with a backlog, tampered with", () => {
  let backlog: Backlog;
  before(async () => {
    backlog = await Backlog.write();
  });
  after(() => backlog?.[Symbol.asyncDispose]());

  test("strangers' files and folders, everywhere: left alone, told, nothing lost", async () => {
    const strangers = [
      "lost+found/",
      "outbox/README.txt",
      "outbox/EDGE/notes.txt",
      "outbox/EDGE/state/Thumbs.db",
      "outbox/EDGE/state/0000000001.seg",
      "outbox/EDGE/state/0000000001-1-00000000.seg.bak",
      "outbox/EDGE/state/old/",
      "outbox/EDGE/telemetry/0000000009-1-0000000z.seg",
    ];
    const found = await backlog.afterwards(async (dataDir) => {
      for (const name of strangers) {
        if (name.endsWith("/")) await fs.mkdir(path.join(dataDir, name));
        else await fs.writeFile(path.join(dataDir, name), "somebody else's");
      }
      await fs.symlink("/nowhere/at/all", path.join(dataDir, "outbox/EDGE/state/dangling"));
    });
    assert.deepEqual(found.missing, []);
    assert.match(found.log, /files that are not ours, left alone.*Thumbs\.db/);
    for (const name of strangers) await fs.access(path.join(found.dataDir, name));
  });

  test("a segment of a later version: left alone, told, and read by who understands it", async () => {
    let original: Buffer | undefined;
    const found = await backlog.afterwards(async (dataDir) => {
      const [segment] = await segmentsIn(dataDir);
      original = await fs.readFile(segment!);
      await fs.writeFile(segment!, ofLaterVersion(original));
    });
    assert.match(found.log, /written by a later version of this program; left alone/);
    assert.ok(found.missing.length > 0, "what it holds cannot be sent by us");
    const [segment] = await segmentsIn(found.dataDir);
    assert.deepEqual(await fs.readFile(segment!), ofLaterVersion(original!), "not one byte of it was touched");
    await fs.writeFile(segment!, original!);
    const later = await backlog.sendFrom(found.dataDir);
    assert.deepEqual(
      found.missing.filter((name) => !later.arrived.has(name)),
      [],
      "nothing of it was lost",
    );
  });

  const damages: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
    "is empty": () => Buffer.alloc(0),
    "is cut in the middle": (bytes) => bytes.subarray(0, bytes.length >> 1),
    "has a bit flipped at its beginning": (bytes) => flip(bytes, 3),
    "has a bit flipped in the middle": (bytes) => flip(bytes, bytes.length >> 1),
    "is all noise": (bytes) => Buffer.from(bytes.map((byte, at) => (byte * 31 + at * 17 + 7) & 255)),
    "has a stranger's bytes behind it": (bytes) => Buffer.concat([bytes, Buffer.alloc(5_000, "x")]),
  };
  for (const [damage, change] of Object.entries(damages)) {
    test(`a segment ${damage}: it starts, what is whole arrives, what is not is told`, async (t) => {
      const found = await backlog.afterwards(async (dataDir) => {
        const [segment] = await segmentsIn(dataDir);
        await fs.writeFile(segment!, change(await fs.readFile(segment!)));
      });
      t.diagnostic(`${found.missing.length} of ${MESSAGES} missing; ${JSON.stringify(found.recovery)}`);
      assert.deepEqual(found.unknown, [], "nothing arrives that was never published");
      // An empty newest segment is what a power cut at its birth leaves: nothing in it was ever acknowledged, as far as anybody can tell.
      if (found.missing.length > 0 && damage !== "is empty") {
        assert.ok(found.recovery.damaged + found.recovery.torn_bytes > 0, "the status says that something is missing");
        assert.match(found.log, /damaged|cut off/);
      }
      if (damage.includes("behind")) assert.deepEqual(found.missing, []);
    });
    test(`everything beside the segments ${damage}, kind by kind: it starts and nothing is lost`, async () => {
      for (const kind of await backlog.kinds()) {
        const found = await backlog.afterwards(async (dataDir) => {
          for (const file of await filesBelow(path.join(dataDir, "outbox")))
            if (path.basename(file) === kind) await fs.writeFile(file, change(await fs.readFile(file)));
        });
        assert.deepEqual(found.missing, [], `${kind} ${damage}`);
        assert.deepEqual(found.unknown, [], `${kind} ${damage}`);
      }
    });
  }

  test("folders where files should be: it starts and nothing is lost, or the sentence names the folder", async () => {
    for (const kind of await backlog.kinds()) {
      const dataDir = await backlog.copy();
      const inTheWay = (await filesBelow(path.join(dataDir, "outbox"))).find((file) => path.basename(file) === kind)!;
      await fs.rm(inTheWay);
      await fs.mkdir(inTheWay);
      await using run = await SpawnedProcess.start(process.execPath, [program, "run", "--data", dataDir]);
      const said = await Promise.race([run.says(/petiole running/).then(() => "running"), run.exited.then(({ code }) => code)]);
      if (said === "running") continue;
      assert.equal(said, 1, run.output);
      assert.ok(run.stderr.includes(inTheWay), `${kind}: ${run.stderr}`);
    }
  });
});

/** A data directory that died with a backlog, and the hub it is for. */
class Backlog implements AsyncDisposable {
  readonly #names = new Set<string>();
  readonly #hub: Hub;
  readonly #cutter: LinkCutter;
  readonly #flush: () => Promise<void>;
  readonly #original: string;
  readonly #mqttPort: number;
  #scope = new AsyncDisposableStack();
  #arrived = new Set<string>();
  #copies = 0;

  static async write(): Promise<Backlog> {
    await using scope = new AsyncDisposableStack();
    const hub = scope.use(await startHub({ version: "2.15" }));
    const cutter = scope.use(await LinkCutter.before(hub.server.port("leaf")));
    const nats = await hub.connect();
    const [mqttPort] = await freePorts(1);
    const backlog = new Backlog({ hub, cutter, mqttPort: mqttPort! }, () => nats.flush());
    nats.subscribe("sensors.>", { callback: (_, message) => void backlog.#arrived.add(message.string()) });
    await nats.flush();
    await backlog.#fill();
    backlog.#scope = scope.move();
    return backlog;
  }

  private constructor(
    parts: { readonly hub: Hub; readonly cutter: LinkCutter; readonly mqttPort: number },
    flush: () => Promise<void>,
  ) {
    this.#hub = parts.hub;
    this.#cutter = parts.cutter;
    this.#mqttPort = parts.mqttPort;
    this.#flush = flush;
    this.#original = path.join(folder!.path, "original");
  }

  /** What becomes of a copy of it once `tamper` was there and the daemon was started on it, with the link up. */
  async afterwards(tamper: (dataDir: string) => Promise<void>) {
    const dataDir = await this.copy();
    await tamper(dataDir);
    return await this.sendFrom(dataDir);
  }

  async copy(): Promise<string> {
    const dataDir = path.join(folder!.path, `copy-${++this.#copies}`);
    await fs.cp(this.#original, dataDir, { recursive: true, filter: (from) => !from.endsWith(".sock") });
    return dataDir;
  }

  /** Starts a daemon on it, and ends it when nothing waits any more. */
  async sendFrom(dataDir: string) {
    const arrived = new Set<string>();
    this.#arrived = arrived;
    await using daemon = await Daemon.start(this.#options(dataDir));
    const { remotes } = await daemon.until(
      "the backlog is gone",
      ({ remotes }) => remotes[0]!.link.state === "ready" && remotes[0]!.outbox.depth === 0,
    );
    await this.#flush();
    await using device = await mqttDevice(this.#mqttPort);
    await device.publishAsync("sensors/a", "afterwards", { qos: 1 });
    assert.equal(await daemon.stop(), 0);
    await this.#flush();
    assert.ok(arrived.delete("afterwards"), "and it works");
    const missing = [...this.#names].filter((name) => !arrived.has(name));
    const unknown = [...arrived].filter((name) => !this.#names.has(name));
    return { dataDir, arrived, missing, unknown, log: daemon.log, recovery: remotes[0]!.outbox.recovery };
  }

  /** Names of files in its outbox that are no segments. */
  async kinds(): Promise<string[]> {
    const names = (await filesBelow(path.join(this.#original, "outbox"))).map((file) => path.basename(file));
    return [...new Set(names.filter((name) => !name.endsWith(".seg")))].sort();
  }

  /** Once with the link up, so that the hub's interest is remembered; then without it, and a kill -9 at the end. */
  async #fill(): Promise<void> {
    await fs.mkdir(this.#original);
    await using daemon = await Daemon.start(this.#options(this.#original));
    await daemon.until("the link is ready", ({ remotes }) => remotes[0]!.link.state === "ready");
    {
      await using device = await mqttDevice(this.#mqttPort);
      await device.publishAsync("sensors/a", "with the link up", { qos: 1 });
    }
    assert.equal(await daemon.stop(), 0);
    this.#cutter.cut();
    await daemon.restart();
    await using device = await mqttDevice(this.#mqttPort);
    const publish = async (name: string) => {
      await device.publishAsync("sensors/a", name, { qos: 1 });
      this.#names.add(name);
    };
    for (let next = 0; next < MESSAGES; next += 50)
      await Promise.all(Array.from({ length: 50 }, (_, i) => publish(`m${next + i}`)));
    await daemon.kill();
    this.#cutter.heal();
  }

  #options(dataDir: string) {
    return { dataDir, mqttPort: this.#mqttPort, program, remote: remoteOf(this.#cutter.through(this.#hub.leafUrl)) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.disposeAsync();
  }
}

function remoteOf(leafUrl: string) {
  return { urls: [leafUrl], user: LEAF.user, password: LEAF.password };
}

async function filesBelow(directory: string): Promise<string[]> {
  const found = await fs.readdir(directory, { recursive: true, withFileTypes: true });
  return found
    .filter((each) => each.isFile())
    .map((each) => path.join(each.parentPath, each.name))
    .sort();
}

async function segmentsIn(dataDir: string): Promise<string[]> {
  return (await filesBelow(path.join(dataDir, "outbox"))).filter((file) => /\d+-\d+-[0-9a-f]{8}\.seg$/.test(file));
}

function flip(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  if (at < changed.length) changed[at]! ^= 0x10;
  return changed;
}

/** Every copy of its header says so, checksum and all. */
function ofLaterVersion(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  const magic = bytes.subarray(0, VERSION_AT);
  for (let at = 0; changed.subarray(at, at + VERSION_AT).equals(magic); ) {
    const headerBytes = changed.readUInt32LE(at + HEADER_BYTES_AT);
    changed.writeUInt32LE(LATER_VERSION, at + VERSION_AT);
    changed.writeUInt32LE(crc32c(changed, at, at + headerBytes - 4), at + headerBytes - 4);
    at += headerBytes;
  }
  return changed;
}
