// The way through an HTTP proxy: CONNECT host:port, and from the proxy's 2xx on the stream leads to the hub.
//
//   us ── CONNECT hub:7422 ──▶ proxy ── TCP ──▶ hub        then TLS, WebSocket or NATS, as if there were no proxy
//
// Source: RFC 9110 §9.3.6; spec/leafnode-protocol.md §8.4.

import { PetioleError, ProtocolError } from "#base/errors.ts";
import { type ByteStream, type Endpoint, formatEndpoint } from "#base/net.ts";
import type { Secret } from "#base/secret.ts";
import type { HttpHead } from "#wire/http-head.ts";
import { discard, exchange, type NoAnswer } from "./http-exchange.ts";

export const LEAF_PROXY_REFUSED = "LEAF_PROXY_REFUSED";
export const LEAF_PROXY_FAILED = "LEAF_PROXY_FAILED";

export interface TunnelOptions {
  /** The hub. Its name is resolved by the proxy. */
  readonly target: Endpoint;
  readonly username: string | null;
  readonly password: Secret | null;
  /** The proxy, for people: `http://proxy:3128`. */
  readonly label: string;
}

/**
 * Asks the proxy at the other end of `stream` for a tunnel. Gives the stream back; it is destroyed if it does not work out.
 * Throws LEAF_PROXY_REFUSED (the proxy said no), LEAF_PROXY_FAILED, or the signal's reason.
 */
export async function openTunnel(stream: ByteStream, options: TunnelOptions, signal: AbortSignal): Promise<ByteStream> {
  const target = formatEndpoint(options.target);
  try {
    const request = [`CONNECT ${target} HTTP/1.1`, `Host: ${target}`, "User-Agent: petiole", ...authorization(options)];
    const answer = await exchange(stream, `${request.join("\r\n")}\r\n\r\n`, signal);
    if (answer.is !== "head") throw noTunnel(answer, options.label);
    if (answer.head.status < 200 || answer.head.status > 299) throw refused(answer.head, options);
    return stream;
  } catch (error) {
    discard(stream);
    throw error;
  }
}

function authorization({ username, password, label }: TunnelOptions): string[] {
  if (username === null) return [];
  if (username.includes(":")) {
    const text = `proxy ${label}: a user name with a colon cannot be sent to a proxy; use another one`;
    throw new PetioleError(LEAF_PROXY_REFUSED, text, { remedy: "backoff" });
  }
  const pair = Buffer.from(`${username}:${password?.reveal() ?? ""}`, "utf8").toString("base64");
  return [`Proxy-Authorization: Basic ${pair}`];
}

function noTunnel(answer: NoAnswer, proxy: string): PetioleError {
  switch (answer.is) {
    case "ended": {
      const text = `proxy ${proxy} closed the connection instead of answering; if that goes on, check its address and what it allows`;
      return new PetioleError(LEAF_PROXY_FAILED, text, answer.cause === undefined ? {} : { cause: answer.cause });
    }
    case "broken":
      return new ProtocolError(LEAF_PROXY_FAILED, `proxy ${proxy} does not speak HTTP as it should: found ${answer.found}`);
    case "foreign": {
      const other = {
        nats: "is a NATS server, no HTTP proxy; check proxy.url",
        tls: "answers in TLS; only proxies spoken to in clear (http://) are supported",
        unknown: `does not speak HTTP: found ${answer.found}; wanted an HTTP proxy that does CONNECT`,
      }[answer.speaks];
      return new ProtocolError(LEAF_PROXY_FAILED, `proxy ${proxy} ${other}`);
    }
  }
}

function refused(head: HttpHead, { target, username, label }: TunnelOptions): PetioleError {
  const status = `HTTP ${head.status}${head.reason === "" ? "" : ` ${head.reason}`}`;
  const hub = formatEndpoint(target);
  const advice = adviceOn(head, target, username !== null);
  if (head.status < 500 && head.status !== 429) {
    const text = `proxy ${label} refused the way to ${hub} with ${status}; ${advice}`;
    return new PetioleError(LEAF_PROXY_REFUSED, text, { remedy: "backoff" });
  }
  return new PetioleError(LEAF_PROXY_FAILED, `proxy ${label} did not get through to ${hub}: ${status}; ${advice}`);
}

function adviceOn(head: HttpHead, target: Endpoint, hasLogin: boolean): string {
  switch (head.status) {
    case 407: {
      const schemes = head.headers.get("proxy-authenticate") ?? "";
      if (schemes !== "" && !/\bbasic\b/i.test(schemes)) {
        const names = [...schemes.matchAll(/(?:^|, *)([A-Za-z][A-Za-z0-9-]*)(?=[ ,]|$)/g)].map(([, name]) => name);
        return `it wants a login by ${names.slice(0, 5).join(" or ") || "other means"}, we know Basic only; allow Basic or let this device pass without`;
      }
      return hasLogin
        ? "it does not accept proxy.username and proxy.password; correct them"
        : "it wants a user and password: set proxy.username and proxy.password";
    }
    case 401:
    case 403:
      return `it forbids port ${target.port} or this host: allow CONNECT to it at the proxy`;
    case 400:
    case 404:
    case 405:
    case 501:
      return "it does not do CONNECT; check proxy.url";
    case 429:
      return "it has too much to do; we try again";
    case 502:
      return "it cannot reach the hub; check the hub's address, and that the proxy can resolve it";
    case 503:
      return "it is overloaded or being restarted, or cannot reach the hub; we try again";
    case 504:
      return "the hub did not answer it; check the hub's address and port";
    default:
      return "wanted 200; check proxy.url";
  }
}
