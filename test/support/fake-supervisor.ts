// A stand-in for balena's supervisor: a real HTTP server on loopback that knows one key, and answers as supervisor 19 does.

import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { Secret } from "#base/secret.ts";
import type { SupervisorPlace } from "#supervisor/supervisor.ts";

const KEY = "key-of-this-service";

export interface SupervisorRequest {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

export class FakeSupervisor implements AsyncDisposable {
  readonly place: SupervisorPlace;
  readonly requests: SupervisorRequest[] = [];
  /** What GET /v1/device shows. */
  device: unknown = { status: "Idle", commit: "abc", update_pending: false, update_downloaded: false, download_progress: null };
  /** An update lock is held. */
  isLocked = false;
  /** Answers with this instead, whatever is asked; "silence": not at all. */
  instead: { readonly status: number; readonly body: string } | "silence" | undefined;
  readonly #server: http.Server;

  static async start(): Promise<FakeSupervisor> {
    const server = http.createServer();
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, "127.0.0.1", resolve);
    await promise;
    return new FakeSupervisor(server);
  }

  private constructor(server: http.Server) {
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.place = { address: `http://127.0.0.1:${port}`, key: new Secret(KEY), appId: 7 };
    server.on("request", (request, response) => {
      let text = "";
      request.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      request.on("end", () => this.#answer(request, text, response));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }

  #answer(request: http.IncomingMessage, text: string, response: http.ServerResponse): void {
    const { method = "", url: path = "" } = request;
    this.requests.push({ method, path, body: text === "" ? undefined : JSON.parse(text) });
    if (this.instead === "silence") return;
    if (this.instead !== undefined) return void response.writeHead(this.instead.status).end(this.instead.body);
    const { status, body } = this.#decide(request.headers.authorization, `${method} ${path}`);
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  }

  #decide(authorization: string | undefined, what: string): { readonly status: number; readonly body: unknown } {
    if (authorization !== `Bearer ${KEY}`) return { status: 401, body: "Unauthorized" };
    if (what === "GET /v1/device") return { status: 200, body: this.device };
    const known = ["POST /v1/restart", "POST /v1/reboot", "POST /v1/shutdown", "PATCH /v1/device/host-config"];
    if (!known.includes(what)) return { status: 404, body: {} };
    if (this.isLocked) return { status: 423, body: { Data: "", Error: "Updates are locked: another service" } };
    return { status: what === "POST /v1/reboot" || what === "POST /v1/shutdown" ? 202 : 200, body: { Data: "OK", Error: null } };
  }
}
