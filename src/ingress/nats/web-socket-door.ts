// Takes accepted connections over to WebSocket: one HTTP upgrade each, judged by one unlistening HTTP server.
//
//   GET / HTTP/1.1, Upgrade: websocket ──▶        ◀── 101, Sec-WebSocket-Accept        then frames (web-socket-stream.ts)
//
// Compression is not agreed to: on the device and its network bytes cost less than the time to press them.
// Limits on time are the listener's. Source: RFC 6455 §4.2.

import { createHash } from "node:crypto";
import * as http from "node:http";
import type { ByteStream } from "#base/net.ts";
import { type OriginRules, originFault } from "./web-origin.ts";
import { webSocketStream } from "./web-socket-stream.ts";

const ACCEPT_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const HEAD_BYTES_MAX = 8192;

interface Upgrade {
  readonly resolve: (stream: ByteStream) => void;
  readonly reject: (fault: Error) => void;
}

export class WebSocketDoor {
  readonly #server: http.Server;
  readonly #underWay = new Map<ByteStream, Upgrade>();
  readonly #origins: OriginRules;
  readonly #isTls: boolean;

  constructor(origins: OriginRules, isTls: boolean) {
    this.#origins = origins;
    this.#isTls = isTls;
    this.#server = http.createServer({ maxHeaderSize: HEAD_BYTES_MAX, insecureHTTPParser: false });
    this.#server.timeout = 0;
    this.#server
      .on("upgrade", (request, socket: ByteStream, head: Buffer) => this.#onUpgrade(request, socket, head))
      .on("request", (request, response) => {
        response.writeHead(426, { Connection: "close", Upgrade: "websocket", "Content-Type": "text/plain" });
        response.end("This port speaks NATS over WebSocket.\n");
        this.#refuse(request.socket, "it asked for a page instead of a WebSocket");
      })
      .on("clientError", (_, socket: ByteStream) => {
        if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        this.#refuse(socket, "it does not speak HTTP");
      });
  }

  /** The stream belongs to the result from then on. Rejects when it is no upgrade or the stream ends. */
  async upgrade(stream: ByteStream): Promise<ByteStream> {
    const { promise, resolve, reject } = Promise.withResolvers<ByteStream>();
    this.#underWay.set(stream, { resolve, reject });
    const onClose = () => reject(new Error("it left in the middle of the WebSocket upgrade"));
    stream.once("close", onClose);
    this.#server.emit("connection", stream);
    try {
      return await promise;
    } finally {
      stream.off("close", onClose);
      this.#underWay.delete(stream);
    }
  }

  #onUpgrade(request: http.IncomingMessage, socket: ByteStream, head: Buffer): void {
    const { headers, method, url } = request;
    const key = headers["sec-websocket-key"] ?? "";
    const words = originFault(headers.origin, headers.host, this.#isTls, this.#origins);
    const fault =
      method !== "GET" || headers.upgrade?.toLowerCase() !== "websocket" || !/^[A-Za-z0-9+/]{22}==$/.test(key)
        ? "400 Bad Request"
        : headers["sec-websocket-version"] !== "13"
          ? "426 Upgrade Required\r\nSec-WebSocket-Version: 13"
          : /^\/(leafnode|mqtt)\b/.test(url ?? "")
            ? "404 Not Found"
            : words === undefined
              ? undefined
              : "403 Forbidden";
    if (fault !== undefined) {
      socket.end(`HTTP/1.1 ${fault}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      this.#refuse(socket, words ?? `its WebSocket upgrade was answered with ${fault.slice(0, 3)}`);
      return;
    }
    const accept = createHash("sha1").update(`${key}${ACCEPT_GUID}`).digest("base64");
    const lines = [
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${accept}`,
    ];
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    this.#underWay.get(socket)?.resolve(webSocketStream(socket, head));
  }

  #refuse(stream: ByteStream, words: string): void {
    stream.on("error", () => undefined); // it is over already
    this.#underWay.get(stream)?.reject(new Error(words));
  }
}
