// What each path answers. Plain functions of what the parts say now; HTTP itself is in monitor.ts.

import type { StatusReport } from "#status/report.ts";
import type { ServerReport, ServerSource } from "#status/server-report.ts";
import { accountz } from "./accountz.ts";
import { accstatz } from "./accstatz.ts";
import { connz } from "./connz.ts";
import { leafz } from "./leafz.ts";
import { Query, QueryError } from "./query.ts";
import type { RuntimeFigures } from "./runtime-figures.ts";
import { subsz } from "./subsz.ts";
import { type HttpFacts, varz } from "./varz.ts";

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export interface AnswerSources {
  readonly report: () => StatusReport;
  /** null: the endpoints in nats-server's manner are not there. */
  readonly server: ServerSource | null;
  readonly runtime: RuntimeFigures;
  readonly http: () => HttpFacts;
}

const NATS_ENDPOINTS: Readonly<
  Record<string, (source: ServerSource, server: ServerReport, query: Query) => Record<string, unknown>>
> = { "/connz": connz, "/leafz": leafz, "/subsz": subsz, "/subscriptionsz": subsz, "/accountz": accountz, "/accstatz": accstatz };

/** All that is answered; `/` lists them. */
export const PATHS: readonly string[] = ["/varz", ...Object.keys(NATS_ENDPOINTS), "/healthz", "/statusz", "/metrics"];

export async function answer(path: string, search: string, sources: AnswerSources): Promise<Answer> {
  try {
    return await answerPath(path, new Query(search), sources);
  } catch (error) {
    if (error instanceof QueryError) return text(400, `${error.message}\n`);
    throw error;
  }
}

async function answerPath(path: string, query: Query, { report, server, runtime, http }: AnswerSources): Promise<Answer> {
  switch (path) {
    case "/":
      return text(200, `${PATHS.join("\n")}\n`);
    case "/healthz":
      return healthz(report());
    case "/statusz":
      return json(200, report());
    case "/metrics": {
      const { renderMetrics } = await import("./metrics.ts"); // brings a library that most devices never need
      const { type, text: body } = await renderMetrics(report(), await runtime.report());
      return { status: 200, type, body };
    }
  }
  if (server !== null && path === "/varz") return json(200, varz(server, http()));
  const endpoint = Object.hasOwn(NATS_ENDPOINTS, path) ? NATS_ENDPOINTS[path] : undefined;
  if (server !== null && endpoint !== undefined) return json(200, endpoint(server, server.server(), query));
  return text(404, `here are ${PATHS.join(", ")}\n`);
}

/** 503 only when acknowledgements are at a standstill. nats-server's parameters ask for parts that we do not have: ignored. */
function healthz({ health }: StatusReport): Answer {
  if (health.verdict !== "failed") return json(200, { status: "ok", petiole: health });
  const error = health.reasons.join("; ");
  return json(503, { status: "unavailable", status_code: 503, error, petiole: health });
}

function json(status: number, value: unknown): Answer {
  return { status, type: "application/json", body: `${JSON.stringify(value)}\n` };
}

function text(status: number, body: string): Answer {
  return { status, type: "text/plain; charset=utf-8", body };
}
