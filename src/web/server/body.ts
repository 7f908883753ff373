// A request's body: bytes up to a limit, then JSON, then a value by a schema. Lengths that a peer announces are claims.

import type { IncomingMessage } from "node:http";
import { decode } from "#base/decode.ts";
import { formatFault } from "#base/fault.ts";
import type { Schema } from "#base/schema.ts";
import { WEB_BODY, WEB_FAULTS, WEB_TOO_LARGE, WebRefusal } from "./errors.ts";

/** More than any settings need; deeper ones could exhaust the stack of whoever walks through them. */
const DEPTH_MAX = 64;

/** Throws WEB_TOO_LARGE, WEB_BODY. */
export async function readJsonBody(request: IncomingMessage, bytesMax: number): Promise<unknown> {
  const type = request.headers["content-type"] ?? "";
  if (!/^application\/json(?:;|$)/i.test(type)) throw new WebRefusal(415, WEB_BODY, "the body must be application/json");
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const text = (await readBytes(request, bytesMax)).toString("utf8");
  if (isTooDeep(text)) throw new WebRefusal(400, WEB_BODY, `the body has more than ${DEPTH_MAX} levels of nesting`);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new WebRefusal(400, WEB_BODY, "the body is not JSON"); // the parser's words would quote it, secrets and all
  }
}

/** Not `for await`: leaving that early destroys the connection, and with it the answer that says why. */
async function readBytes(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  const onData = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > bytesMax) reject(tooLarge(bytesMax));
    else chunks.push(chunk);
  };
  const onEnd = () => resolve(Buffer.concat(chunks));
  const onBroken = () => reject(new WebRefusal(400, WEB_BODY, "the request broke off"));
  request.on("data", onData).on("end", onEnd).on("error", onBroken).on("close", onBroken);
  try {
    return await promise;
  } finally {
    request.off("data", onData).off("end", onEnd).off("close", onBroken); // its errors stay heard
  }
}

/** Throws WEB_FAULTS with every fault. */
export function decodeBody<T>(schema: Schema<T>, body: unknown): T {
  const decoded = decode(schema, body);
  if ("value" in decoded) return decoded.value;
  throw new WebRefusal(400, WEB_FAULTS, decoded.faults.map(formatFault).join("; "), { faults: decoded.faults });
}

function tooLarge(bytesMax: number): WebRefusal {
  return new WebRefusal(413, WEB_TOO_LARGE, `the body is longer than ${bytesMax} bytes`, { headers: { Connection: "close" } });
}

/** A loop and no regular expression: the text may be megabytes, and a stranger's. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  let isInString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '"') isInString = !isInString;
    else if (isInString) i += char === "\\" ? 1 : 0;
    else if (char === "[" || char === "{") depth += 1;
    else if (char === "]" || char === "}") depth -= 1;
    if (depth > DEPTH_MAX) return true;
  }
  return false;
}
