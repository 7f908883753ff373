// The monitoring port, and the control socket by which the command line asks the running daemon. Read-only, both.
//
//   GET /varz /connz /leafz /subsz /accountz /healthz   as nats-server answers them, as far as we have the thing
//   GET /statusz                                        the whole report as JSON: what `petiole status --json` prints
//   GET /metrics                                        Prometheus text

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIP } from "node:net";
import type { Disk } from "#base/disk.ts";
import { removeIfThere } from "#base/disk.ts";
import { diskFault } from "#base/disk-words.ts";
import { explain, isFault, PetioleError } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { type Endpoint, formatEndpoint } from "#base/net.ts";
import type { StatusReport } from "#status/report.ts";
import type { ServerSource } from "#status/server-report.ts";
import { type Answer, type AnswerSources, answer, PATHS } from "./answers.ts";
import { RuntimeFigures } from "./runtime-figures.ts";

export const MONITOR_LISTEN_FAILED = "MONITOR_LISTEN_FAILED";

/** Linux: what fits into an address of the family, less its end. */
const SOCKET_PATH_BYTES_MAX = 107;

export interface MonitorPlaces {
  /** null: no port; the control socket is there all the same. */
  readonly listen: Endpoint | null;
  /** Path of the control socket; it exists as long as the daemon runs, unless something stands in its way. */
  readonly socketPath: string;
}

export interface Monitor extends AsyncDisposable {
  /** Where the port really is; null when it is off. */
  readonly endpoint: Endpoint | null;
}

/** Without `server`, the endpoints in nats-server's manner answer 404. */
export async function openMonitor(
  places: MonitorPlaces,
  report: () => StatusReport,
  env: { readonly disk: Disk; readonly log: Log },
  server: ServerSource | null = null,
): Promise<Monitor> {
  await using scope = new AsyncDisposableStack();
  const runtime = scope.use(new RuntimeFigures());
  const requests: Record<string, number> = {};
  let endpoint: Endpoint | null = null;
  const sources: AnswerSources = { report, server, runtime, http: () => ({ listen: endpoint, requests: { ...requests } }) };
  const handler = (isLocalOnly: boolean) => (request: IncomingMessage, response: ServerResponse) =>
    void respond(request, response, { sources, requests, isLocalOnly }).catch((error: unknown) => {
      env.log.error("the monitor could not answer a request", { path: pathOf(request), error: explain(error) });
      response.destroy();
    });
  const controlSocket = await tryListenAt(places.socketPath, createServer(handler(false)), env);
  if (controlSocket !== undefined) scope.use(controlSocket);
  if (places.listen !== null) {
    const httpServer = createServer(handler(isLoopback(places.listen.host)));
    scope.use(await listenOnPort(httpServer, places.listen));
    const address = httpServer.address();
    endpoint = {
      host: places.listen.host,
      port: typeof address === "object" && address !== null ? address.port : places.listen.port,
    };
  }
  const open = scope.move();
  return { endpoint, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

/** Without its control socket a daemon works all the same: that is said, and nobody can ask it for its status there. */
async function tryListenAt(
  path: string,
  server: Server,
  { disk, log }: { readonly disk: Disk; readonly log: Log },
): Promise<AsyncDisposable | undefined> {
  try {
    await removeIfThere(disk, path); // left behind by a daemon that was killed; the data directory is ours (data-lock.ts)
    return await listen(server, { path });
  } catch (error) {
    if (!isFault(error)) throw error;
    const bytes = Buffer.byteLength(path);
    const { message } =
      bytes > SOCKET_PATH_BYTES_MAX
        ? {
            message: `${path} has ${bytes} bytes, a socket's path at most ${SOCKET_PATH_BYTES_MAX}; choose a shorter --data directory`,
          }
        : diskFault(MONITOR_LISTEN_FAILED, `cannot listen on ${path}`, error);
    log.error(`no control socket, so "petiole status" cannot ask this daemon: ${message}; then start it anew`, {
      error: explain(error),
    });
    return undefined;
  }
}

async function listenOnPort(server: Server, where: Endpoint): Promise<AsyncDisposable> {
  try {
    return await listen(server, where);
  } catch (cause) {
    const message = `monitor: cannot listen on ${formatEndpoint(where)}; is another daemon running there?`;
    throw new PetioleError(MONITOR_LISTEN_FAILED, message, { remedy: "never", cause });
  }
}

async function listen(server: Server, where: { path: string } | Endpoint): Promise<AsyncDisposable> {
  server.requestTimeout = 10_000;
  server.maxConnections = 64;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(where, resolve);
  await promise;
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      await closed.promise;
    },
  };
}

interface Desk {
  readonly sources: AnswerSources;
  readonly requests: Record<string, number>;
  readonly isLocalOnly: boolean;
}

async function respond(request: IncomingMessage, response: ServerResponse, desk: Desk): Promise<void> {
  response.setHeader("Cache-Control", "no-store").setHeader("X-Content-Type-Options", "nosniff");
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    send(response, { status: 405, type: "text/plain", body: "only GET and HEAD are answered here\n" });
    return;
  }
  if (desk.isLocalOnly && !isLocalName(request.headers.host)) {
    const body = "this port is for the device itself: ask for it as localhost or by its address\n";
    send(response, { status: 403, type: "text/plain", body });
    return;
  }
  const path = pathOf(request);
  if (PATHS.includes(path)) desk.requests[path] = (desk.requests[path] ?? 0) + 1;
  const search = (request.url ?? "").slice(path.length);
  send(response, await answer(path, search, desk.sources));
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0]!;
}

/** A page in a browser on the device could reach a loopback port under a name of its own that resolves to 127.0.0.1. */
function isLocalName(host: string | undefined): boolean {
  if (host === undefined) return true; // HTTP/1.0: no browser
  const name = host.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  return isIP(name) !== 0 || name.toLowerCase() === "localhost";
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

/** To HEAD, Node sends the headers alone. */
function send(response: ServerResponse, { status, type, body }: Answer): void {
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) }).end(body);
}
