// A device with a page, for tests: the real server on loopback and the real settings keeper, on a clock turned by hand. And a browser
// that keeps its cookie and brings its token, unless told otherwise.

import { scryptSync } from "node:crypto";
import * as fs from "node:fs/promises";
import * as http from "node:http";
import * as path from "node:path";
import { decode } from "#base/decode.ts";
import type { Disk } from "#base/disk.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import { createLog, formatLine } from "#base/log.ts";
import { type ByteStream, type Net, systemNet } from "#base/net.ts";
import type { Json } from "#base/schema.ts";
import { loadConfig } from "#config/load-config.ts";
import type { Environment } from "#config/overrides.ts";
import type { ClientsDesk, PastDesk, SupervisorDesk } from "#web/server/desks.ts";
import { LogTail } from "#web/server/log-tail.ts";
import { webOptions } from "#web/server/options.ts";
import { openWeb, type Web, type WebDeps } from "#web/server/web.ts";
import { finishAtStart } from "../../src/at-start.ts";
import { createWebDesks } from "../../src/desks/web-desks.ts";
import { FakeClock } from "./fake-clock.ts";
import { tempFolder } from "./temp-folder.ts";

export const OWNER = { user: "olga", password: "correct horse battery" } as const;
export const TECHNICIAN = { user: "tariq", password: "staple tractor lamp" } as const;
export const VIEWER = { user: "vera", password: "seven green bottles" } as const;

export interface WebDeviceOptions {
  /** Of the `web` block. */
  readonly web?: { readonly [key: string]: Json };
  readonly settings?: { readonly [key: string]: Json };
  /** Where to live, as it is there; default: a folder of its own, gone at the end. */
  readonly dataDir?: string;
  /** True: as at the first boot. Else OWNER, TECHNICIAN and VIEWER are there already. */
  readonly isNew?: boolean;
  readonly disk?: Disk;
  readonly environment?: Environment;
  readonly report?: () => object;
  readonly clients?: ClientsDesk;
  readonly past?: PastDesk;
  readonly supervisor?: SupervisorDesk;
  readonly live?: Pick<WebDeps, "messages" | "serial" | "doctor">;
  /** Where every connection seems to come from; default: where it does. */
  readonly from?: string;
  readonly clock?: FakeClock;
}

export interface WebDevice extends AsyncDisposable {
  readonly web: Web;
  readonly dataDir: string;
  readonly clock: FakeClock;
  readonly tail: LogTail;
  readonly log: readonly string[];
  /** How often a restart was asked for. */
  readonly restarts: () => number;
  readonly port: number;
  browser(): Browser;
  /** The code, as the log shows it. */
  claimCode(): string;
  /** A browser logged in as the owner, who claims the device if nobody has. */
  claimed(): Promise<Browser>;
  /** A browser logged in as that user. */
  loggedIn(who: { readonly user: string; readonly password: string }): Promise<Browser>;
}

export async function startWebDevice(options: WebDeviceOptions = {}): Promise<WebDevice> {
  await using scope = new AsyncDisposableStack();
  const dataDir = options.dataDir ?? scope.use(await tempFolder("petiole-web")).path;
  const disk = options.disk ?? systemDisk();
  const clock = options.clock ?? new FakeClock();
  const tail = new LogTail();
  const log: string[] = [];
  const env = {
    clock,
    disk,
    net: options.from === undefined ? systemNet() : seenFrom(options.from),
    entropy: systemEntropy(),
    log: createLog(clock, "info", (line) => {
      log.push(formatLine(line));
      tail.add(line);
    }),
    tty: undefined as never,
  };
  const settingsFile = path.join(dataDir, "settings.json");
  if (options.dataDir === undefined && options.isNew !== true) await writeUsers(dataDir);
  if (options.settings !== undefined) {
    await fs.writeFile(settingsFile, JSON.stringify(options.settings));
  }
  const unconfirmed = await finishAtStart(dataDir, settingsFile, env);
  const environment = options.environment ?? {};
  const loaded = await loadConfig({ dataDir, env: environment, disk, entropy: env.entropy });
  let restarts = 0;
  const restart = () => {
    restarts += 1;
  };
  const desks = createWebDesks({ loaded, environment, dataDir, unconfirmed, tail, pageFolder: null, env, restart });
  scope.use(desks.settings);
  const decoded = decode(webOptions, { listen: "127.0.0.1:0", ...options.web }, dataDir);
  if (!("value" in decoded)) throw new Error(JSON.stringify(decoded.faults));
  const host = { hostname: () => "gw-host", addresses: () => ["127.0.0.1", "192.0.2.7", "fe80::1%eth0"] };
  const report = options.report ?? (() => ({ server_name: "gw-test" }));
  const { clients, past, supervisor } = options;
  const own = {
    ...(clients === undefined ? {} : { clients }),
    ...(past === undefined ? {} : { past }),
    ...(supervisor === undefined ? {} : { supervisor }),
  };
  const deps = { ...desks, ...own, ...options.live, host, env, dataDir, serverName: "gw-test", report };
  const web = scope.use(await openWeb(decoded.value, deps, new AbortController().signal));
  const { port } = web.endpoint;
  const open = scope.move();
  const browser = () => new Browser(port);
  const claimCode = () => /claim_code=(\S+)/.exec(log.join("\n"))![1]!;
  const loggedIn = async (who: { readonly user: string; readonly password: string }) => {
    const fresh = browser();
    const answer = await fresh.post("/api/session", who);
    if (answer.status !== 200) throw new Error(`login of ${who.user}: ${answer.status} ${answer.text}`);
    return fresh;
  };
  return {
    web,
    dataDir,
    clock,
    tail,
    log,
    restarts: () => restarts,
    port,
    browser,
    claimCode,
    loggedIn,
    async claimed() {
      if (options.isNew !== true) return await loggedIn(OWNER);
      const owner = browser();
      const answer = await owner.post("/api/claim", { code: claimCode(), ...OWNER });
      if (answer.status !== 201) throw new Error(`claim: ${answer.status} ${answer.text}`);
      return owner;
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** Loopback is trusted with more than a stranger's address is. */
function seenFrom(address: string): Net {
  const net = systemNet();
  const seen = (stream: ByteStream) => Object.defineProperty(stream, "remoteAddress", { value: address });
  return { ...net, listen: (endpoint, onStream) => net.listen(endpoint, (stream) => onStream(seen(stream))) };
}

/** With hashes that cost nothing: these tests are of what surrounds them. */
export async function writeUsers(dataDir: string): Promise<void> {
  const salt = Buffer.alloc(16, 7);
  const text = (bytes: Buffer) => bytes.toString("base64").replaceAll("=", "");
  const entryOf = ({ user, password }: { readonly user: string; readonly password: string }, role: string) => {
    const hash = scryptSync(password, salt, 32, { N: 2, r: 1, p: 1 });
    return { user, role, password: `$scrypt$ln=1,r=1,p=1$${text(salt)}$${text(hash)}`, since: "2026-01-01T00:00:00.000Z" };
  };
  const users = [entryOf(OWNER, "owner"), entryOf(TECHNICIAN, "technician"), entryOf(VIEWER, "viewer")];
  await fs.mkdir(path.join(dataDir, "secrets"), { mode: 0o700 });
  await fs.writeFile(path.join(dataDir, "secrets/web-users.json"), JSON.stringify({ version: 1, users }), { mode: 0o600 });
}

export interface BrowserAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  readonly bytes: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly json: any;
}

export class Browser {
  readonly #port: number;
  cookie = "";
  csrf = "";

  constructor(port: number) {
    this.#port = port;
  }

  get(path: string, headers: http.OutgoingHttpHeaders = {}): Promise<BrowserAnswer> {
    return this.request("GET", path, undefined, headers);
  }

  post(path: string, body?: unknown, headers: http.OutgoingHttpHeaders = {}): Promise<BrowserAnswer> {
    return this.request("POST", path, body, headers);
  }

  put(path: string, body?: unknown, headers: http.OutgoingHttpHeaders = {}): Promise<BrowserAnswer> {
    return this.request("PUT", path, body, headers);
  }

  delete(path: string, headers: http.OutgoingHttpHeaders = {}): Promise<BrowserAnswer> {
    return this.request("DELETE", path, undefined, headers);
  }

  /** `headers` are laid over what a browser would send; undefined takes one out. `body`: a text goes as it is. */
  async request(method: string, path: string, body: unknown, headers: http.OutgoingHttpHeaders = {}): Promise<BrowserAnswer> {
    const sent = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
    const all: http.OutgoingHttpHeaders = {
      ...(this.cookie === "" ? {} : { Cookie: this.cookie }),
      ...(this.csrf === "" ? {} : { "X-Petiole-CSRF": this.csrf }),
      ...(sent === undefined ? {} : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(sent) }),
      ...headers,
    };
    for (const [name, value] of Object.entries(all)) if (value === undefined) delete all[name];
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    const asking = http.request({ host: "127.0.0.1", port: this.#port, method, path, headers: all, agent: false }, resolve);
    asking.on("error", reject);
    asking.end(sent);
    const response = await promise;
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const text = bytes.toString("utf8");
    const isJson = String(response.headers["content-type"] ?? "").startsWith("application/json");
    const json: unknown = isJson ? JSON.parse(text) : undefined;
    this.#keep(response, json);
    return { status: response.statusCode ?? 0, headers: response.headers, text, bytes, json };
  }

  #keep(response: http.IncomingMessage, json: unknown): void {
    for (const cookie of response.headers["set-cookie"] ?? []) {
      const [pair = ""] = cookie.split(";", 1);
      this.cookie = pair.endsWith("=") ? "" : pair;
    }
    const session = (json as { session?: { csrf: string } | null } | undefined)?.session;
    if (session !== undefined) this.csrf = session?.csrf ?? "";
  }
}
