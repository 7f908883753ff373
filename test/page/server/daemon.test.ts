// The whole way in one daemon: first boot, claim, a change by the page, the restart that brings it into force, the confirmation.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import type { Env } from "#base/env.ts";
import { createLog, type LogLine } from "#base/log.ts";
import { systemNet } from "#base/net.ts";
import { LogTail } from "#web/server/log-tail.ts";
import { pageAccess } from "../../../src/cli/page-lines.ts";
import { runDaemon, type Signals } from "../../../src/cli/run.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { Browser, OWNER } from "../../support/web-device.ts";

interface Running {
  readonly port: number;
  readonly exit: Promise<number>;
  stop(): Promise<number>;
}

async function run(dataDir: string): Promise<Running> {
  const clock = systemClock();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const tail = new LogTail();
  const log = createLog(clock, "info", (line: LogLine) => {
    tail.add(line);
    if (line.message === "the page answers") resolve(Number(String(line.facts["listen"]).split(":").at(-1)));
  });
  const env: Env = { clock, disk: systemDisk(), net: systemNet(), tty: undefined as never, entropy: systemEntropy(), log };
  const listeners = new Map<string, () => void>();
  const signals: Signals = { on: (name, listener) => listeners.set(name, listener), off: (name) => listeners.delete(name) };
  const exit = runDaemon({ dataDir }, {}, env, signals, { tail, folder: null });
  exit.then((code) => reject(new Error(`ended with ${code} before the page was up: ${tail.last(5).join("\n")}`)), reject);
  const port = await promise;
  return {
    port,
    exit,
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
