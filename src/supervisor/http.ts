// One request to a program of the same machine, and its answer: the seam under the supervisor's client.

import * as http from "node:http";
import type { Millis } from "#base/clock.ts";

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PATCH";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Given up after this long, whatever it is doing. */
  readonly timeoutMs: Millis;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** Rejects with the system's fault, when the time is over, and when the answer is too long. */
export type Http = (request: HttpRequest, signal: AbortSignal) => Promise<HttpAnswer>;

/** The supervisor's answers are a few hundred bytes. */
const ANSWER_BYTES_MAX = 65_536;

export const systemHttp: Http = async ({ method, url, headers, body, timeoutMs }, signal) => {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const request = http.request(url, { method, headers, signal: limit, agent: false }, (answer) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    answer.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > ANSWER_BYTES_MAX) request.destroy(new Error(`the answer is longer than ${ANSWER_BYTES_MAX} bytes`));
      else chunks.push(chunk);
    });
    answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }));
    answer.on("error", reject);
  });
  // Unheard, it would end the connection and tell nobody.
  request.on("upgrade", ({ statusCode = 0 }, socket) => {
    socket.destroy();
    resolve({ status: statusCode, body: "" });
  });
  request.on("error", reject);
  request.end(body);
  return await promise;
};
