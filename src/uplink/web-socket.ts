// The way to a hub's WebSocket port: one HTTP upgrade over a stream that is there already, be it TCP, a proxy's tunnel or TLS.
//
//   GET /leafnode ──▶        ◀── 101, Sec-WebSocket-Accept        then frames (web-socket-stream.ts)
//
// What answers instead of a hub is named, with what to do about it. Source: spec/leafnode-protocol.md §8, RFC 6455 §4.

import { createHash } from "node:crypto";
import type { Entropy } from "#base/entropy.ts";
import { PetioleError, ProtocolError } from "#base/errors.ts";
import { type ByteStream, formatEndpoint } from "#base/net.ts";
import { type HttpHead, hasWord } from "#wire/http-head.ts";
import { LEAF_CLOSED, LEAF_NOT_NATS, LEAF_WRONG_PORT } from "./errors.ts";
import { discard, exchange, type NoAnswer } from "./http-exchange.ts";
import type { RemoteUrl } from "./remote-url.ts";
import { type WebSocketStream, webSocketStream } from "./web-socket-stream.ts";

export const LEAF_UPGRADE_REFUSED = "LEAF_UPGRADE_REFUSED";

const ACCEPT_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const SWITCHING_PROTOCOLS = 101;
const OFFER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

export interface WebSocketOptions {
  readonly url: Pick<RemoteUrl, "endpoint" | "path" | "text" | "isTls">;
  /** Offer permessage-deflate; the hub may decline. */
  readonly isCompressed: boolean;
  readonly entropy: Entropy;
}

export interface OpenedWebSocket {
  /** The NATS bytes. S2 must not be negotiated on them (spec §8.3). */
  readonly stream: WebSocketStream;
  readonly isDeflated: boolean;
}

/**
 * Upgrades `stream`, which belongs to the result from then on, or is destroyed if it does not work out. TLS, if any, is
 * there already. Throws LEAF_UPGRADE_REFUSED, LEAF_WRONG_PORT, LEAF_NOT_NATS, LEAF_CLOSED, or the signal's reason.
 */
export async function openWebSocket(
  stream: ByteStream,
  options: WebSocketOptions,
  signal: AbortSignal,
): Promise<OpenedWebSocket> {
  const { url, isCompressed, entropy } = options;
  const key = entropy.bytes(16).toString("base64");
  const request = [
    `GET ${url.path} HTTP/1.1`,
    `Host: ${formatEndpoint(url.endpoint)}`,
    "User-Agent: petiole",
    "Connection: Upgrade",
    "Upgrade: websocket",
    `Sec-WebSocket-Key: ${key}`,
    "Sec-WebSocket-Version: 13",
    ...(isCompressed ? [`Sec-WebSocket-Extensions: ${OFFER}`] : []),
  ];
  try {
    const answer = await exchange(stream, `${request.join("\r\n")}\r\n\r\n`, signal);
    if (answer.is !== "head") throw noUpgrade(answer, url);
    if (answer.head.status !== SWITCHING_PROTOCOLS) throw refused(answer.head, url);
    assertUpgraded(answer.head, key, url.text);
    const isDeflated = isDeflateAgreed(answer.head, isCompressed, url.text);
    return { stream: webSocketStream(stream, { hub: url.text, isDeflated, entropy }), isDeflated };
  } catch (error) {
    discard(stream);
    throw error;
  }
}

function noUpgrade(answer: NoAnswer, url: WebSocketOptions["url"]): PetioleError {
  const hub = url.text;
  switch (answer.is) {
    case "ended": {
      const text = `hub ${hub} closed the connection instead of answering the WebSocket upgrade; if that goes on, check the port${url.isTls ? "" : ", and whether it wants wss://"}`;
      return new PetioleError(LEAF_CLOSED, text, answer.cause === undefined ? {} : { cause: answer.cause });
    }
    case "broken":
      return new ProtocolError(LEAF_NOT_NATS, `${hub} does not speak HTTP as it should: found ${answer.found}`);
    case "foreign":
      switch (answer.speaks) {
        case "nats": {
          const schemes = url.isTls ? "tls://" : "nats:// or tls://";
          return new ProtocolError(
            LEAF_WRONG_PORT,
            `${hub} is a plain NATS port, not a WebSocket one; use ${schemes}, or the port of the hub's websocket block`,
          );
        }
        case "tls":
          return new ProtocolError(
            LEAF_NOT_NATS,
            `${hub} answers in TLS; ${url.isTls ? "TLS inside TLS: check the port" : "use wss://"}`,
          );
        case "unknown":
          return new ProtocolError(
            LEAF_NOT_NATS,
            `${hub} does not speak HTTP: found ${answer.found}; wanted the port of the hub's websocket block`,
          );
      }
  }
}

function refused(head: HttpHead, url: WebSocketOptions["url"]): PetioleError {
  const status = `${head.status}${head.reason === "" ? "" : ` ${head.reason}`}`;
  const remedy = head.status >= 500 || head.status === 429 ? "retry" : "backoff";
  return new PetioleError(
    LEAF_UPGRADE_REFUSED,
    `${url.text} refused the WebSocket upgrade with HTTP ${status}; ${adviceOn(head, url)}`,
    {
      remedy,
    },
  );
}

function adviceOn(head: HttpHead, url: WebSocketOptions["url"]): string {
  switch (head.status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308: {
      const location = (head.headers.get("location") ?? "nowhere").replaceAll(/[^\x20-\x7e]|\?.*/g, "").slice(0, 100);
      return `it points to ${location}, and redirects are not followed: write the final address`;
    }
    case 400:
      return `${url.isTls ? "" : "if the port does TLS, use wss://; else "}this is probably no NATS WebSocket port, or something on the way drops the Upgrade header`;
    case 404:
    case 405:
      return `there is no NATS WebSocket at ${url.path}; check port and path, and the hub's websocket block`;
    case 401:
    case 403:
      return "something in front of the hub wants a login or does not let us in: hubs themselves answer no such status, unless websocket.same_origin or allowed_origins is set";
    case 407:
      return "a proxy on the way wants a login; set proxy with username and password";
    case 426:
      return "it wants another protocol or a newer WebSocket than version 13; check port and path";
    case 429:
    case 503:
      return "it is overloaded or being restarted; we try again";
    case 502:
    case 504:
      return "a proxy in front of the hub cannot reach it; we try again";
    default:
      return "wanted 101; check the port and what stands in front of the hub";
  }
}

function assertUpgraded(head: HttpHead, key: string, hub: string): void {
  const accept = createHash("sha1").update(`${key}${ACCEPT_GUID}`).digest("base64");
  const wrong =
    head.headers.get("upgrade")?.toLowerCase() !== "websocket"
      ? "lacks Upgrade: websocket"
      : !hasWord(head, "connection", "upgrade")
        ? "lacks Connection: Upgrade"
        : head.headers.get("sec-websocket-accept") !== accept
          ? "has a Sec-WebSocket-Accept that does not fit our key"
          : head.headers.has("sec-websocket-protocol")
            ? "names a subprotocol that we did not ask for"
            : undefined;
  if (wrong === undefined) return;
  throw new ProtocolError(LEAF_NOT_NATS, `${hub} answered the WebSocket upgrade with 101, but the answer ${wrong}`);
}

/** A hub that agrees repeats our offer (spec §8.1); context kept between messages on either side is not what we asked for. */
function isDeflateAgreed(head: HttpHead, isOffered: boolean, hub: string): boolean {
  const answer = head.headers.get("sec-websocket-extensions")?.toLowerCase();
  if (answer === undefined) return false;
  const [name, ...parameters] = answer.split(";").map((part) => part.trim());
  const names = new Set(parameters.map((parameter) => parameter.split("=", 1)[0]!.trim()));
  const isWhole = names.delete("server_no_context_takeover") && names.delete("client_no_context_takeover");
  names.delete("server_max_window_bits"); // a smaller window at the hub costs us nothing
  if (isOffered && name === "permessage-deflate" && isWhole && names.size === 0) return true;
  const wanted = isOffered ? `"${OFFER}" or nothing` : "none";
  throw new ProtocolError(
    LEAF_NOT_NATS,
    `${hub} answered the WebSocket upgrade with the extension "${answer.slice(0, 100)}"; wanted ${wanted}; set compression to off if something on the way rewrites it`,
  );
}
