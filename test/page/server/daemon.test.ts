// The whole way in one daemon: first boot, claim, a change by the page, the restart that brings it into force, the confirmation.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import type { Env } from "#base/env.ts";
import { createLog, type LogLine } from "#base/log.ts";
import { type Net, systemNet } from "#base/net.ts";
import { LogTail } from "#web/server/log-tail.ts";
import { pageAccess } from "../../../src/cli/page-lines.ts";
import { runDaemon, type Signals } from "../../../src/cli/run.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { Browser, OWNER } from "../../support/web-device.ts";

interface Running {
  readonly port: number;
  readonly exit: Promise<number>;
  readonly tail: LogTail;
  stop(): Promise<number>;
}

async function run(dataDir: string, net: Net = systemNet()): Promise<Running> {
  const clock = systemClock();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const tail = new LogTail();
  const log = createLog(clock, "info", (line: LogLine) => {
    tail.add(line);
    if (line.message === "the page answers") resolve(Number(String(line.facts["listen"]).split(":").at(-1)));
  });
  const env: Env = { clock, disk: systemDisk(), net, tty: undefined as never, entropy: systemEntropy(), log };
  const listeners = new Map<string, () => void>();
  const signals: Signals = { on: (name, listener) => listeners.set(name, listener), off: (name) => listeners.delete(name) };
  const exit = runDaemon({ dataDir }, {}, env, signals, { tail, folder: null });
  exit.then((code) => reject(new Error(`ended with ${code} before the page was up: ${tail.last(5).join("\n")}`)), reject);
  const port = await promise;
  return {
    port,
    exit,
    tail,
    stop() {
      listeners.get("SIGTERM")?.();
      return exit;
    },
  };
}

test("from the first boot to confirmed settings, through the daemon itself", async () => {
  await using folder = await tempFolder("petiole-web");
  const file = path.join(folder.path, "settings.json");
  const off = { monitor: null, host: null, firewall: { enabled: false } };
  await fs.writeFile(file, JSON.stringify({ ...off, server_name: "gw-1", web: { listen: "127.0.0.1:0" } }));
  const first = await run(folder.path);
  const { claim_code: code } = await pageAccess(systemDisk(), folder.path);
  const browser = new Browser(first.port);
  assert.equal((await browser.post("/api/claim", { code, ...OWNER })).status, 201);
  assert.equal((await pageAccess(systemDisk(), folder.path)).claim_code, null, "nothing left to claim");
  assert.equal((await browser.get("/api/status")).json.server_name, "gw-1");
  const view = (await browser.get("/api/settings")).json;
  view.document.server_name = "gw-2";
  view.document.web.session_idle = "20m";
  const written = await browser.put("/api/settings", view);
  assert.equal(written.status, 200, written.text);
  assert.equal((await browser.post("/api/restart")).status, 202);
  assert.equal(await first.exit, 0, "its supervisor starts it anew");

  const second = await run(folder.path);
  const again = new Browser(second.port);
  assert.equal((await again.post("/api/session", OWNER)).status, 200);
  assert.equal((await again.get("/api/status")).json.server_name, "gw-2");
  assert.equal((await again.post("/api/settings/confirm")).status, 200);
  assert.equal(await second.stop(), 0);
  assert.equal(JSON.parse(await fs.readFile(file, "utf8")).web.session_idle, "20m");
});

test("a command whose output nobody reads ends without a word, and one whose output finds no room says so", async () => {
  await using folder = await tempFolder();
  const main = path.resolve(import.meta.dirname, "../../../src/main.ts");
  const run = async (script: string): Promise<readonly [number, string]> => {
    const child = spawn("sh", ["-c", script, process.execPath, main, folder.path], { stdio: ["ignore", "ignore", "pipe"] });
    const words: string[] = [];
    child.stderr.setEncoding("utf8").on("data", (text: string) => words.push(text));
    const [code] = (await once(child, "close")) as [number];
    return [code, words.join("")];
  };
  const status = "echo code $? >&2";
  assert.deepEqual(await run(`{ "$0" "$1" check --data "$2"; ${status}; } | exec 0<&-`), [0, "code 0\n"]);
  const [code, words] = await run('"$0" "$1" check --data "$2" >/dev/full');
  assert.equal(code, 1);
  assert.match(words, /^petiole: ENOSPC[^\n]*\n$/);
});

test("what goes wrong while the daemon closes is told, and is no good end", async () => {
  await using folder = await tempFolder();
  const system = systemNet();
  const listen: Net["listen"] = async (endpoint, onStream) => {
    const door = await system.listen(endpoint, onStream);
    const close = async () => {
      await door[Symbol.asyncDispose]();
      throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
    };
    return { ...door, endpoint: door.endpoint, [Symbol.asyncDispose]: close };
  };
  const settings = { web: { listen: "127.0.0.1:0" }, mqtt: null, monitor: null };
  await fs.writeFile(path.join(folder.path, "settings.json"), JSON.stringify(settings));
  const daemon = await run(folder.path, { ...system, listen });
  assert.equal(await daemon.stop(), 1);
  assert.match(daemon.tail.last(5).join("\n"), /not all was closed in good order: EIO/);
});
