// A gateway for the page's tests: the real daemon in this process, on loopback, with the page as the tree has it now. It is started
// anew when it ends by itself, as a supervisor would, on the same port.

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { type Clock, systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import type { Env } from "#base/env.ts";
import { createLog, formatLine, type LogLine } from "#base/log.ts";
import { systemNet } from "#base/net.ts";
import type { Tty } from "#base/tty.ts";
import type { Environment } from "#config/overrides.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import { LogTail } from "#web/server/log-tail.ts";
import { bundlePage } from "../../../../scripts/lib/page-bundle.ts";
import { runDaemon, type Signals } from "../../../../src/cli/run.ts";
import { freePorts } from "../../../support/free-ports.ts";
import { tempFolder } from "../../../support/temp-folder.ts";
import { Browser, OWNER, writeUsers } from "../../../support/web-device.ts";

export interface GatewayOptions {
  /** Laid over settings in which everything is off but the page. */
  readonly settings?: { readonly [key: string]: unknown };
  /** True: as at the first boot. Else OWNER, TECHNICIAN and VIEWER of web-device.ts are there already. */
  readonly isNew?: boolean;
  /** Serial devices; default: those of this machine. */
  readonly tty?: Tty;
  readonly clock?: Clock;
  readonly environment?: Environment;
}

export interface Gateway extends AsyncDisposable {
  /** "http://127.0.0.1:40123" */
  readonly url: string;
  readonly dataDir: string;
  /** Lines of the log so far. */
  readonly log: readonly string[];
  claimCode(): string;
  settings(): Promise<{ readonly [key: string]: unknown }>;
  /** The API without a browser, logged in as the owner: to bring about what the page then shows. */
  owner(): Promise<Browser>;
  /** Ends the daemon and does not start it anew until `start`. */
  stop(): Promise<void>;
  /** Resolves when the page answers. */
  start(): Promise<void>;
  /** Resolves when it was started anew after ending by itself. */
  restarted(): Promise<void>;
}

const OFF = { server_name: "gw-test", monitor: null, host: null, mqtt: null, firewall: { enabled: false } };

export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  await using scope = new AsyncDisposableStack();
  const folder = scope.use(await tempFolder("petiole-page"));
  const [port] = (await freePorts(1)) as [number]; // it stays the same through restarts
  const { dataDir, pageFolder } = await layOut(folder.path, port, options);

  const log: string[] = [];
  let isWanted = false;
  let running: { readonly ended: Promise<void>; stop(): void } | undefined;
  const waiting: (() => void)[] = [];

  const start = async (): Promise<void> => {
    const { promise: up, resolve, reject } = Promise.withResolvers<void>();
    const clock = options.clock ?? systemClock();
    const tail = new LogTail();
    const hear = (line: LogLine) => {
      log.push(formatLine(line));
      tail.add(line);
      if (line.message === "running") resolve();
    };
    const env: Env = {
      clock,
      disk: systemDisk(),
      net: systemNet(),
      tty: options.tty ?? systemTty(),
      entropy: systemEntropy(),
      log: createLog(clock, "info", hear),
    };
    const listeners = new Map<string, () => void>();
    const signals: Signals = { on: (name, listener) => listeners.set(name, listener), off: (name) => listeners.delete(name) };
    isWanted = true;
    const exit = runDaemon({ dataDir }, options.environment ?? {}, env, signals, { tail, folder: pageFolder });
    const ended = exit.then(async (code) => {
      reject(new Error(`the daemon ended with ${code} before it was up:\n${log.slice(-5).join("\n")}`));
      if (!isWanted || code !== 0) return;
      await start();
      for (const each of waiting.splice(0)) each();
    });
    running = { ended, stop: () => listeners.get("SIGTERM")?.() };
    await up;
  };
  const stop = async () => {
    isWanted = false;
    const last = running;
    running = undefined;
    last?.stop();
    await last?.ended;
  };
  await start();
  scope.defer(stop);
  const open = scope.move();
  return {
    url: `http://127.0.0.1:${port}`,
    dataDir,
    log,
    claimCode: () => /claim_code=(\S+)/.exec(log.join("\n"))![1]!,
    settings: async () => JSON.parse(await fs.readFile(path.join(dataDir, "settings.json"), "utf8")),
    async owner() {
      const owner = new Browser(port);
      const { status, text } = await owner.post("/api/session", OWNER);
      if (status !== 200) throw new Error(`login of the owner: ${status} ${text}`);
      return owner;
    },
    stop,
    start,
    restarted: () => new Promise<void>((resolve) => waiting.push(resolve)),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** What a gateway finds when it starts: its data directory with settings and users, and the page's files. */
export async function layOut(folder: string, port: number, { settings = {}, isNew = false }: GatewayOptions) {
  const dataDir = path.join(folder, "data");
  const pageFolder = path.join(folder, "page");
  await Promise.all([
    fs.mkdir(dataDir).then(async () => {
      const web = { listen: `127.0.0.1:${port}`, ...(settings["web"] as object | undefined) };
      const document = { ...OFF, ...settings, web };
      await fs.writeFile(path.join(dataDir, "settings.json"), JSON.stringify(document));
      if (!isNew) await writeUsers(dataDir);
    }),
    writePage(pageFolder),
  ]);
  return { dataDir, pageFolder };
}

let bundled: ReturnType<typeof bundlePage> | undefined;

/** Not compressed beforehand: the server does what is missing. */
async function writePage(folder: string): Promise<void> {
  await fs.mkdir(folder);
  bundled ??= bundlePage({ isCompressed: false }); // once per test file
  const { files } = await bundled;
  for (const [name, bytes] of files) await fs.writeFile(path.join(folder, name), bytes);
}
