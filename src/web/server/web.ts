// The page's server: opens the door, the users, the trail and the streams, and closes them in reverse.
//
//   accepted ─▶ quotas per address ─▶ [TLS] ─▶ node:http (heads ≤ 8 KiB) ─▶ front desk ─▶ routes
//
// What each route is for, who may call it, and what stands against which attack: README.md.

import { createServer, type Server } from "node:http";
import type { Millis } from "#base/clock.ts";
import type { Env } from "#base/env.ts";
import { explain, isFault, PetioleError } from "#base/errors.ts";
import { type ByteStream, type Endpoint, formatEndpoint } from "#base/net.ts";
import { AddressQuotas, type Visit } from "#doors/address-quotas.ts";
import { Gate } from "#doors/gate.ts";
import { ServerTls } from "#doors/server-tls.ts";
import { Audit } from "./audit.ts";
import { formatClaimCode, openClaimCode, readClaimCode, removeClaimCode } from "./claim-code.ts";
import type { AboutDesk, ClientsDesk, DeviceDesk, PastDesk, SecretsDesk, SettingsDesk, SupervisorDesk } from "./desks.ts";
import { deviceRoutes } from "./device-routes.ts";
import { doctorRoutes } from "./doctor-routes.ts";
import { WEB_LISTEN_FAILED } from "./errors.ts";
import { EventStreams } from "./event-streams.ts";
import { FrontDesk } from "./front-desk.ts";
import { type HostFacts, HostNames } from "./host-names.ts";
import type { DoctorDesk, MessageDesk, SerialDesk } from "./live-desks.ts";
import { LiveStreams } from "./live-streams.ts";
import type { LogTail } from "./log-tail.ts";
import { Logins } from "./logins.ts";
import { messageRoutes } from "./message-routes.ts";
import type { WebOptions } from "./options.ts";
import { fingerprintOf, openOwnCertificate } from "./own-certificate.ts";
import { Pace } from "./pace.ts";
import type { Parts } from "./parts.ts";
import { type Route, route } from "./route.ts";
import { secretRoutes } from "./secret-routes.ts";
import { serialRoutes } from "./serial-routes.ts";
import { sessionRoutes } from "./session-routes.ts";
import { Sessions } from "./sessions.ts";
import { settingsRoutes } from "./settings-routes.ts";
import { StaticFiles } from "./static-files.ts";
import { supervisorRoutes } from "./supervisor-routes.ts";
import { userRoutes } from "./user-routes.ts";
import { Users } from "./users.ts";
import { viewRoutes } from "./view-routes.ts";

const CONNECTIONS_MAX = 256;
const PER_ADDRESS_MAX = 32;
const HEAD_BYTES_MAX = 8 * 1024;
/** So long a finished answer may take to reach the browser before a restart that it asked for. */
const FAREWELL_MS: Millis = 500;

export interface WebDeps {
  readonly env: Pick<Env, "clock" | "disk" | "net" | "entropy" | "log">;
  readonly dataDir: string;
  readonly serverName: string;
  readonly host: HostFacts;
  readonly tail: LogTail;
  /** What /api/status answers. */
  readonly report: () => object;
  /** null: these routes answer 503. */
  readonly settings: SettingsDesk | null;
  readonly device: DeviceDesk | null;
  readonly past?: PastDesk;
  readonly clients?: ClientsDesk;
  readonly about?: AboutDesk;
  readonly secrets?: SecretsDesk | null;
  readonly supervisor?: SupervisorDesk | null;
  /** Absent: as null. */
  readonly messages?: MessageDesk | null;
  readonly serial?: SerialDesk | null;
  readonly doctor?: DoctorDesk | null;
  /** The built page; null, or nothing in it: a placeholder. */
  readonly pageFolder: string | null;
}

export interface Web extends AsyncDisposable {
  readonly endpoint: Endpoint;
  /** SHA-256 of the certificate; null without TLS. */
  readonly fingerprint: string | null;
}

/** Throws WEB_LISTEN_FAILED, WEB_USERS_DAMAGED, DOOR_TLS_FILES. */
export async function openWeb(options: WebOptions, deps: WebDeps, signal: AbortSignal): Promise<Web> {
  await using scope = new AsyncDisposableStack();
  signal.throwIfAborted();
  const { env, dataDir } = deps;
  const users = scope.use(await Users.open(env.disk, dataDir));
  const audit = scope.use(await Audit.open(dataDir, env));
  let claimCode = await openClaim(users, deps);
  const hosts = new HostNames([deps.serverName, ...options.allowedHosts], deps.host, env.clock);
  const { tls, fingerprint } = await openTls(options, hosts, deps);
  if (tls !== null) scope.defer(() => tls.close());
  const sessions = new Sessions({ idleMs: options.sessionIdle, maxMs: options.sessionMax }, env.clock, env.entropy);
  const streams = scope.use(new EventStreams(sessions, deps.tail, deps.report, env.clock));
  const farewells = scope.use(new DisposableStack());
  const promised = new Set<() => void>();
  scope.defer(() => {
    for (const keep of promised) keep(); // a page that moves before it is time
  });
  const parts: Parts = {
    ...deps,
    fingerprint,
    messages: deps.messages ?? null,
    serial: deps.serial ?? null,
    doctor: deps.doctor ?? null,
    users,
    sessions,
    audit,
    logins: new Logins(env.clock, env.entropy),
    claimCode: () => (users.isClaimed ? (claimCode = undefined) : claimCode),
    afterAnswer(action) {
      const keep = () => void (promised.delete(keep) && action());
      promised.add(keep);
      farewells.use(env.clock.after(FAREWELL_MS, keep));
    },
  };
  const desk = new FrontDesk({
    parts,
    hosts,
    files: await StaticFiles.open(env.disk, deps.pageFolder),
    routes: allRoutes(parts),
    openStream: (response, session) => streams.open(response, session),
    live: scope.use(new LiveStreams(sessions, env)),
  });
  const gate = scope.use(await listen(options, tls, desk, env, scope));
  const open = scope.move();
  let closed: Promise<void> | undefined;
  return { endpoint: gate.endpoint, fingerprint, [Symbol.asyncDispose]: () => (closed ??= open.disposeAsync()) };
}

export function allRoutes(parts: Parts): readonly Route[] {
  return [
    ...sessionRoutes(parts),
    ...userRoutes(parts),
    ...settingsRoutes(parts),
    ...deviceRoutes(parts),
    ...viewRoutes(parts),
    ...secretRoutes(parts),
    ...supervisorRoutes(parts),
    ...messageRoutes(parts),
    ...doctorRoutes(parts),
    ...serialRoutes(parts),
    route({ method: "GET", path: "/api/events", least: "viewer", run: async () => "stream" }),
  ];
}

/** The code stands in the log once, when it is made. */
async function openClaim(users: Users, { env, dataDir }: WebDeps): Promise<string | undefined> {
  if (users.isClaimed) {
    // Left behind by a power cut between the first owner and its removal.
    if ((await readClaimCode(env.disk, dataDir)) !== undefined) await removeClaimCode(env.disk, dataDir);
    return undefined;
  }
  const { code, isNew } = await openClaimCode(env.disk, dataDir, env.entropy);
  if (isNew)
    env.log.warn("this device has no owner yet; whoever types this code into its page becomes the owner", {
      claim_code: formatClaimCode(code),
    });
  return code;
}

async function openTls(
  { tls }: WebOptions,
  hosts: HostNames,
  { env, dataDir, serverName }: WebDeps,
): Promise<{ readonly tls: ServerTls | null; readonly fingerprint: string | null }> {
  if (tls === null) return { tls: null, fingerprint: null };
  const names = [serverName, ...hosts.all().filter((name) => name !== serverName.toLowerCase())];
  const files = tls === "self-signed" ? await openOwnCertificate(env.disk, dataDir, names, env.entropy) : tls;
  const rest = { caFile: null, verify: false, verifyAndMap: false };
  const server = await ServerTls.open({ ...files, ...rest }, "web.tls", env);
  return { tls: server, fingerprint: (await fingerprintOf(env.disk, files.certFile)) ?? null };
}

async function listen(
  { listen: endpoint }: WebOptions,
  tls: ServerTls | null,
  desk: FrontDesk,
  env: WebDeps["env"],
  scope: AsyncDisposableStack,
): Promise<Gate<Visit & { readonly address: string }>> {
  const quotas = new AddressQuotas({ connectionsMax: PER_ADDRESS_MAX, loginsMax: PER_ADDRESS_MAX, connectRate: null }, env.clock);
  const pace = scope.use(new Pace(env.clock, () => gate?.tick(env.clock.now())));
  const server = httpServer(desk, pace, env, tls !== null);
  let gate: Gate<Visit & { readonly address: string }> | undefined;
  gate = await Gate.open(
    {
      endpoint,
      setting: "web.listen",
      guests: "the page",
      listenFailed: WEB_LISTEN_FAILED,
      tls,
      webSocket: null,
      arrivingMax: 64,
    },
    {
      onAccept(stream) {
        const address = stream.remoteAddress ?? "";
        const visit = quotas.tryEnter(address);
        if (typeof visit === "string") return undefined;
        if (pace.connections >= CONNECTIONS_MAX) {
          visit.leave();
          return undefined;
        }
        stream.once("close", () => visit.leave());
        return { ...visit, address };
      },
      onSecured: (caller) => caller,
      onReady(stream, caller) {
        caller.admit();
        pace.awaitHead(stream);
        stream.once("close", () => pace.forget(stream)).on("error", () => undefined); // close follows
        server.emit("connection", stream);
      },
      onLost: (caller) => caller.leave(), // browsers leave in the middle when they do not know a certificate: no news
    },
    env,
  );
  env.log.info("the page answers", { listen: formatEndpoint(gate.endpoint), tls: tls !== null });
  return gate;
}

/** Never listens by itself: connections are handed to it. So Node's own limits on time do not work, and ours do (pace.ts). */
function httpServer(desk: FrontDesk, pace: Pace, env: WebDeps["env"], isSecure: boolean): Server {
  const server = createServer({ maxHeaderSize: HEAD_BYTES_MAX, keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 });
  server.on("request", (request, response) => {
    const stream: ByteStream = request.socket;
    pace.awaitAnswer(stream);
    response.on("finish", () => {
      if (!stream.destroyed) pace.awaitHead(stream);
    });
    const connection = { address: stream.remoteAddress ?? "", isSecure };
    void desk.respond(request, response, connection).then(
      (isStream) => {
        if (isStream && !stream.destroyed) pace.unlimited(stream);
      },
      (error: unknown) => {
        if (!isOperational(error)) throw error;
        env.log.error("the page's server could not answer a request", { error: explain(error) });
        response.destroy();
      },
    );
  });
  return server;
}

/** A browser that left while its request was being read is no bug. */
function isOperational(error: unknown): boolean {
  return error instanceof PetioleError || isFault(error);
}
