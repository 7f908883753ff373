// The monitoring port, and the control socket by which the command line asks the running daemon. Read-only, both.
//
//   GET /healthz   200 {"status":"ok"} while messages can be made safe, 503 otherwise (nats-server's endpoint)
//   GET /statusz   the whole report as JSON: what `petiole status --json` prints
//   GET /metrics   Prometheus text

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Disk } from "#base/disk.ts";
import { removeIfThere } from "#base/disk.ts";
import { explain, PetioleError } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { type Endpoint, formatEndpoint } from "#base/net.ts";
import type { StatusReport } from "#status/report.ts";
import { renderMetrics } from "./metrics.ts";

export const MONITOR_LISTEN_FAILED = "MONITOR_LISTEN_FAILED";

export interface MonitorPlaces {
  /** null: no port; the control socket is there all the same. */
  readonly listen: Endpoint | null;
  /** Path of the control socket; it exists as long as the daemon runs. */
  readonly socketPath: string;
}

export interface Monitor extends AsyncDisposable {
  /** Where the port really is; null when it is off. */
  readonly endpoint: Endpoint | null;
}

export async function openMonitor(
  places: MonitorPlaces,
  report: () => StatusReport,
  env: { readonly disk: Disk; readonly log: Log },
): Promise<Monitor> {
  await using scope = new AsyncDisposableStack();
  const answer = (request: IncomingMessage, response: ServerResponse) =>
    void respond(request, response, report).catch((error: unknown) => {
      env.log.error("the monitor could not answer a request", { path: request.url, error: explain(error) });
      response.destroy();
    });
  await removeIfThere(env.disk, places.socketPath); // left behind by a daemon that was killed; the data directory is ours (lock.ts)
  scope.use(await listen(createServer(answer), { path: places.socketPath }, places.socketPath));
  let endpoint: Endpoint | null = null;
  if (places.listen !== null) {
    const server = createServer(answer);
    scope.use(await listen(server, places.listen, formatEndpoint(places.listen)));
    const address = server.address();
    endpoint = {
      host: places.listen.host,
      port: typeof address === "object" && address !== null ? address.port : places.listen.port,
    };
  }
  const open = scope.move();
  return { endpoint, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

async function listen(server: Server, where: { path: string } | Endpoint, label: string): Promise<AsyncDisposable> {
  server.requestTimeout = 10_000;
  server.maxConnections = 64;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(where, resolve);
  try {
    await promise;
  } catch (cause) {
    throw new PetioleError(MONITOR_LISTEN_FAILED, `monitor: cannot listen on ${label}; is another daemon running there?`, {
      remedy: "never",
      cause,
    });
  }
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      await closed.promise;
    },
  };
}

async function respond(request: IncomingMessage, response: ServerResponse, report: () => StatusReport): Promise<void> {
  const path = (request.url ?? "/").split("?")[0];
  response.setHeader("Cache-Control", "no-store").setHeader("X-Content-Type-Options", "nosniff");
  if (request.method !== "GET" && request.method !== "HEAD")
    return send(response, 405, "text/plain", "only GET and HEAD are answered here\n");
  switch (path) {
    case "/healthz": {
      const { health } = report();
      const isWell = health.verdict !== "failed";
      return send(
        response,
        isWell ? 200 : 503,
        "application/json",
        `${JSON.stringify({ status: isWell ? "ok" : "unavailable", ...health })}\n`,
      );
    }
    case "/statusz":
      return send(response, 200, "application/json", `${JSON.stringify(report())}\n`);
    case "/metrics": {
      const { type, text } = await renderMetrics(report());
      return send(response, 200, type, text);
    }
    default:
      return send(response, 404, "text/plain", "here are /healthz, /statusz and /metrics\n");
  }
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) }).end(body);
}
