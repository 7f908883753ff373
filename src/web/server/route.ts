// One entry of the API: who may call it with what, and what it does.

import type { IncomingMessage } from "node:http";
import type { Schema } from "#base/schema.ts";
import type { Answer } from "./answer.ts";
import type { LiveStream } from "./live-streams.ts";
import type { Role } from "./roles.ts";
import type { Session } from "./sessions.ts";

export interface Call<B> {
  readonly address: string;
  /** What `:name` in the route's path stood for. */
  readonly name: string;
  readonly query: URLSearchParams;
  readonly body: B;
  /** Absent where anyone may call. */
  readonly session: Session | undefined;
  /** As the cookie has it. */
  readonly token: string | undefined;
  readonly isSecure: boolean;
  readonly request: IncomingMessage;
}

/** `stream`: the page's own live data (event-streams.ts). */
export type Outcome = Answer | Live | "stream";

/** The answer is a stream of events that goes on until `live` resolves, or the reader is gone. */
export interface Live {
  readonly live: (stream: LiveStream) => Promise<void>;
}

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** `/api/users`, `/api/users/:name`, `/api/serial/:name/frames`. */
  readonly path: string;
  readonly least: Role | "anyone";
  /** Answers before the device is claimed as well. */
  readonly isOpenUnclaimed?: boolean;
  readonly body?: Schema<unknown>;
  readonly bodyBytesMax?: number;
  readonly run: (call: Call<never>) => Promise<Outcome>;
}

/** Keeps the body's schema and the handler's type together. */
export function route<B = undefined>(
  entry: Omit<Route, "body" | "run"> & { readonly body?: Schema<B>; readonly run: (call: Call<B>) => Promise<Outcome> },
): Route {
  return entry as unknown as Route;
}

export interface Match {
  readonly route: Route;
  readonly name: string;
}

/** The route; or the methods that the path has; or undefined: there is no such path. */
export function match(routes: readonly Route[], method: string, path: string): Match | readonly string[] | undefined {
  const methods: string[] = [];
  for (const each of routes) {
    const name = nameIn(each.path, path);
    if (name === undefined) continue;
    if (each.method === method) return { route: each, name };
    methods.push(each.method);
  }
  return methods.length === 0 ? undefined : methods;
}

function nameIn(pattern: string, path: string): string | undefined {
  const at = pattern.indexOf(":name");
  if (at === -1) return pattern === path ? "" : undefined;
  const tail = pattern.slice(at + ":name".length);
  if (!path.startsWith(pattern.slice(0, at)) || !path.endsWith(tail)) return undefined;
  const name = path.slice(at, path.length - tail.length);
  return name !== "" && !name.includes("/") ? tryDecode(name) : undefined;
}

/** A name may hold anything a client calls itself; it is looked up, and never taken for a path. */
function tryDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // half an escape, or no UTF-8
  }
}
