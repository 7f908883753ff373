// The daemon in this process, with its page on loopback and an owner logged in: for what only all of it together can show.

import * as fs from "node:fs/promises";
import * as path from "node:path";
import type { MqttClient } from "mqtt";
import type { Clock } from "#base/clock.ts";
import { systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import type { Env } from "#base/env.ts";
import { createLog, formatLine, type LogLine } from "#base/log.ts";
import { systemNet } from "#base/net.ts";
import type { Json } from "#base/schema.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import type { StatusReport } from "#status/report.ts";
import { LogTail } from "#web/server/log-tail.ts";
import { pageAccess } from "../../src/cli/page-lines.ts";
import { runDaemon, type Signals } from "../../src/cli/run.ts";
import { fetchStatus } from "../../src/cli/status.ts";
import { controlSocketPath } from "../../src/spoke.ts";
import { mqttDevice } from "./spoke.ts";
import { Browser, OWNER } from "./web-device.ts";

const UNTIL_MS = 20_000;

export interface PageDaemonOptions {
  readonly dataDir: string;
  /** Laid over what keeps the test to itself; written only if there is no file. */
  readonly settings?: { readonly [key: string]: Json };
  readonly clock?: Clock;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface PageDaemon extends AsyncDisposable {
  readonly log: readonly string[];
  /** Resolves when it has ended by itself. */
  readonly exit: Promise<number>;
  /** Where the page is now. */
  pagePort(): number;
  browser(): Browser;
  /** A browser of the owner, who claims the device if nobody has. */
  owner(): Promise<Browser>;
  status(): Promise<StatusReport>;
  until(what: string, isTrue: (report: StatusReport) => boolean): Promise<StatusReport>;
  mqtt(user: string, password: string, more?: object): Promise<MqttClient & AsyncDisposable>;
  signal(name: "SIGHUP"): void;
  stop(): Promise<number>;
}

// biome-ignore lint/suspicious/noExplicitAny: a settings document, changed by tests
type Document = any;

/** Changes the settings by the page, as somebody who has just loaded them would. The answer to the change. */
export async function change(browser: Browser, by: (document: Document) => void) {
  const { document, revision } = (await browser.get("/api/settings")).json;
  by(document);
  return await browser.put("/api/settings", { document, revision });
}

export async function startPageDaemon({
  dataDir,
  settings = {},
  clock = systemClock(),
  environment = {},
}: PageDaemonOptions): Promise<PageDaemon> {
  const file = path.join(dataDir, "settings.json");
  const own = { monitor: null, host: null, firewall: { enabled: false }, outbox: { free_reserve: "0B" } };
  const document = { ...own, server_name: "gw-test", web: { listen: "127.0.0.1:0" }, ...settings };
  if (!(await fs.readdir(dataDir)).includes("settings.json")) await fs.writeFile(file, JSON.stringify(document));
  const tail = new LogTail();
  const log: string[] = [];
  const up = Promise.withResolvers<void>();
  let port = 0;
  const logger = createLog(clock, "info", (line: LogLine) => {
    tail.add(line);
    log.push(formatLine(line));
    if (line.message === "the page answers") port = Number(String(line.facts["listen"]).split(":").at(-1));
    if (line.message === "running") up.resolve();
  });
  const env: Env = { clock, disk: systemDisk(), net: systemNet(), tty: systemTty(), entropy: systemEntropy(), log: logger };
  const listeners = new Map<string, () => void>();
  const signals: Signals = { on: (name, listener) => listeners.set(name, listener), off: (name) => listeners.delete(name) };
  const exit = runDaemon({ dataDir }, environment, env, signals, { tail, folder: null });
  exit.then((code) => up.reject(new Error(`ended with ${code} before it was up:\n${log.join("\n")}`)), up.reject);
  await up.promise;
  const status = () => fetchStatus(controlSocketPath(dataDir));
  const stop = () => {
    listeners.get("SIGTERM")?.();
    return exit;
  };
  return {
    log,
    exit,
    status,
    stop,
    pagePort: () => port,
    browser: () => new Browser(port),
    async owner() {
      const browser = new Browser(port);
      const { claim_code: code } = await pageAccess(systemDisk(), dataDir);
      const answer = await browser.post(code === null ? "/api/session" : "/api/claim", { code: code ?? undefined, ...OWNER });
      if (answer.status >= 300) throw new Error(answer.text);
      return browser;
    },
    async until(what, isTrue) {
      const end = performance.now() + UNTIL_MS;
      for (;;) {
        const report = await status();
        if (isTrue(report)) return report;
        if (performance.now() > end)
          throw new Error(`never: ${what}\n${log.join("\n")}\n${JSON.stringify(report, undefined, 1)}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async mqtt(user, password, more = {}) {
      const { mqtt } = await status();
      return await mqttDevice(Number(mqtt!.listen.split(":").at(-1)), { username: user, password, reconnectPeriod: 0, ...more });
    },
    signal: (name) => listeners.get(name)?.(),
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}
