// One request, from its head to its answer. Each step may refuse, and the first refusal is the answer:
//
//   Host ─▶ path ─┬─▶ a file of the page
//                 └─▶ route ─▶ method ─▶ session ─▶ claimed? ─▶ role ─▶ origin ─▶ CSRF token ─▶ body ─▶ handler
//
// The body is not read before it is known who sends it.

import type { IncomingMessage, ServerResponse } from "node:http";
import { diskWords } from "#base/disk-words.ts";
import { explain, isFault } from "#base/errors.ts";
import { type Answer, refusalAnswer, SECURITY_HEADERS } from "./answer.ts";
import { decodeBody, readJsonBody } from "./body.ts";
import { tokensIn } from "./cookie.ts";
import {
  WEB_HOST,
  WEB_METHOD,
  WEB_NOT_FOUND,
  WEB_NOT_LOGGED_IN,
  WEB_ORIGIN,
  WEB_ROLE,
  WEB_TOKEN,
  WEB_UNAVAILABLE,
  WEB_UNCLAIMED,
  WebRefusal,
} from "./errors.ts";
import type { HostNames } from "./host-names.ts";
import type { LiveStreams } from "./live-streams.ts";
import type { Parts } from "./parts.ts";
import { hasRole } from "./roles.ts";
import { type Call, match, type Outcome, type Route } from "./route.ts";
import { isSameText, type Session } from "./sessions.ts";
import type { StaticFiles } from "./static-files.ts";

/** The header that brings the session's `csrf`. No form and no image can send it. */
const CSRF_HEADER = "x-petiole-csrf";
const UNATTENDED_HEADER = "x-petiole-unattended";
const BODY_BYTES_MAX = 16 * 1024;
/** Of a refused body, read for the sake of its sender. */
const LINGER_BYTES_MAX = 8 * 1024 * 1024;
/** Nothing that would have to be decoded: what is looked up is what was sent. */
const PATH = /^\/[A-Za-z0-9._~/-]{0,200}$/;
/** Where the name of a thing may stand (route.ts decodes it): no file is looked up by it. */
const API_PATH = /^\/api\/[A-Za-z0-9._~/%-]{1,2000}$/;

export interface Connection {
  readonly address: string;
  /** It came by TLS. */
  readonly isSecure: boolean;
}

export interface FrontDeskDeps {
  readonly parts: Parts;
  readonly hosts: HostNames;
  readonly files: StaticFiles;
  readonly routes: readonly Route[];
  /** Live data: takes the response over. */
  readonly openStream: (response: ServerResponse, session: Session) => void;
  readonly live: LiveStreams;
}

export class FrontDesk {
  readonly #deps: FrontDeskDeps;

  constructor(deps: FrontDeskDeps) {
    this.#deps = deps;
  }

  /** Resolves with whether the answer is a stream, which goes on as long as it likes. */
  async respond(request: IncomingMessage, response: ServerResponse, connection: Connection): Promise<boolean> {
    let outcome: Outcome;
    try {
      outcome = await this.#answer(request, response, connection);
    } catch (error) {
      outcome = this.#refusal(error, request, response);
    }
    if (outcome === "stream" || "live" in outcome) return true;
    send(request, response, outcome);
    return false;
  }

  async #answer(request: IncomingMessage, response: ServerResponse, connection: Connection): Promise<Outcome> {
    const { host } = request.headers;
    if (!this.#deps.hosts.isOurs(host)) {
      const words =
        "this device does not answer under that name; ask for it by its address, or add the name to web.allowed_hosts";
      throw new WebRefusal(421, WEB_HOST, words);
    }
    const url = request.url ?? "";
    const [path = ""] = url.split("?", 1);
    if (!PATH.test(path) && !API_PATH.test(path)) throw notFound();
    if (path !== "/api" && !path.startsWith("/api/")) return this.#file(request, path);
    return await this.#call(request, response, connection, path, new URLSearchParams(url.slice(path.length + 1)));
  }

  #file(request: IncomingMessage, path: string): Answer {
    if (request.method !== "GET" && request.method !== "HEAD") throw wrongMethod(["GET", "HEAD"]);
    const answer = this.#deps.files.answer(path, request);
    if (answer === undefined) throw notFound();
    return answer;
  }

  async #call(
    request: IncomingMessage,
    response: ServerResponse,
    { address, isSecure }: Connection,
    path: string,
    query: URLSearchParams,
  ): Promise<Outcome> {
    const { parts, routes } = this.#deps;
    const found = match(routes, request.method ?? "", path);
    if (found === undefined) throw notFound();
    if (!("route" in found)) throw wrongMethod(found);
    const { route, name } = found;
    const { token, session } = this.#sessionOf(request, isSecure);
    if (!parts.users.isClaimed && route.isOpenUnclaimed !== true)
      throw new WebRefusal(
        403,
        WEB_UNCLAIMED,
        'this device has no owner yet: claim it first; "petiole status" shows the claim code',
      );
    if (route.least !== "anyone") mustHaveRole(session, route.least);
    mustBeSameOrigin(request, isSecure);
    if (route.method !== "GET" && route.least !== "anyone") mustBringToken(request, session!);
    const sent = route.method === "POST" || route.method === "PUT" ? await readBody(request, route) : undefined;
    // Reading may have taken a while: whoever was logged out meanwhile is.
    if (route.least !== "anyone" && !parts.sessions.holds(session!)) throw notLoggedIn();
    const call: Call<unknown> = { address, name, query, body: sent, session, token, isSecure, request };
    const outcome = await route.run(call as Call<never>);
    if (outcome === "stream") this.#deps.openStream(response, session!);
    else if ("live" in outcome) this.#deps.live.open(response, session!, outcome);
    return outcome;
  }

  #sessionOf(
    request: IncomingMessage,
    isSecure: boolean,
  ): { readonly token: string | undefined; readonly session: Session | undefined } {
    const isUnattended = request.method === "GET" && request.headers[UNATTENDED_HEADER] !== undefined;
    for (const token of tokensIn(request, isSecure)) {
      const session = this.#deps.parts.sessions.use(token, isUnattended);
      if (session !== undefined) return { token, session };
    }
    return { token: undefined, session: undefined };
  }

  #refusal(error: unknown, request: IncomingMessage, response: ServerResponse): Answer {
    if (error instanceof WebRefusal) return refusalAnswer(error);
    if (!isFault(error)) throw error;
    const words = diskWords(error);
    // Not the request's word: a body that was read to its end leaves it destroyed. What the disk says is no reader's doing.
    if (response.destroyed && words === undefined)
      return refusalAnswer(new WebRefusal(400, WEB_UNAVAILABLE, "the request broke off")); // for nobody
    this.#deps.parts.env.log.error("the page's server could not answer a request", {
      method: request.method,
      path: request.url?.split("?", 1)[0],
      error: explain(error),
    });
    const remedy = words === undefined ? "the log says more" : `the disk ${words.found}; ${words.remedy}`;
    return refusalAnswer(new WebRefusal(500, WEB_UNAVAILABLE, `the device could not do that: ${remedy}`));
  }
}

/** Bodies without a schema go to the handler as they are; a request that wants none may leave it out. */
async function readBody(request: IncomingMessage, { body, bodyBytesMax }: Route): Promise<unknown> {
  const isEmpty = request.headers["transfer-encoding"] === undefined && Number(request.headers["content-length"] ?? 0) === 0;
  if (isEmpty && body === undefined) return undefined;
  const json = await readJsonBody(request, bodyBytesMax ?? BODY_BYTES_MAX);
  return body === undefined ? json : decodeBody(body, json);
}

function mustHaveRole(session: Session | undefined, least: Exclude<Route["least"], "anyone">): void {
  if (session === undefined) throw notLoggedIn();
  if (hasRole(session.role, least)) return;
  throw new WebRefusal(403, WEB_ROLE, `this is for ${least}s, and ${session.user} is a ${session.role}`);
}

/** Browsers say where a request comes from; whoever says nothing is no browser. */
function mustBeSameOrigin({ headers }: IncomingMessage, isSecure: boolean): void {
  const site = headers["sec-fetch-site"];
  const isForeignSite = site !== undefined && site !== "same-origin" && site !== "none";
  const own = `${isSecure ? "https" : "http"}://${headers.host}`;
  const isForeignOrigin = headers.origin !== undefined && headers.origin.toLowerCase() !== own.toLowerCase();
  if (isForeignSite || isForeignOrigin)
    throw new WebRefusal(403, WEB_ORIGIN, "this request was sent by another web page, not by this device's own");
}

function mustBringToken({ headers }: IncomingMessage, session: Session): void {
  const brought = headers[CSRF_HEADER];
  if (typeof brought === "string" && isSameText(brought, session.csrf)) return;
  throw new WebRefusal(403, WEB_TOKEN, "the request lacks its token (X-Petiole-CSRF); load the page anew");
}

function notFound(): WebRefusal {
  return new WebRefusal(404, WEB_NOT_FOUND, "there is nothing here");
}

function notLoggedIn(): WebRefusal {
  return new WebRefusal(401, WEB_NOT_LOGGED_IN, "log in first");
}

function wrongMethod(methods: readonly string[]): WebRefusal {
  return new WebRefusal(405, WEB_METHOD, `only ${methods.join(", ")} here`, { headers: { Allow: methods.join(", ") } });
}

function send(request: IncomingMessage, response: ServerResponse, { status, headers, body }: Answer): void {
  if (response.headersSent || response.destroyed) return;
  const length = status === 304 ? {} : { "Content-Length": Buffer.byteLength(body) };
  // What is left of a body that was refused unread must not be taken for the next request.
  const rest = request.complete ? {} : { Connection: "close" };
  response.writeHead(status, { ...SECURITY_HEADERS, ...headers, ...length, ...rest });
  if (request.complete) response.end(body);
  else linger(request, response, body);
}

/** Closed with bytes unread, a connection is reset, and the browser may never see the answer: so some more are read and forgotten. */
function linger(request: IncomingMessage, response: ServerResponse, body: string | Buffer): void {
  let bytes = 0;
  const end = () => void response.end();
  response.write(body);
  request
    .on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > LINGER_BYTES_MAX) end();
    })
    .once("end", end)
    .once("close", end)
    .on("error", end);
}
