// Takes accepted connections over to WebSocket: one HTTP upgrade each, judged by one unlistening HTTP server.
//
//   GET / HTTP/1.1, Upgrade: websocket ──▶        ◀── 101, Sec-WebSocket-Accept [, -Protocol]      then frames (web-socket-stream.ts)
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

export interface WebSocketRules {
  /** What is spoken in the frames, for whoever asks for a page. */
  readonly speaks: string;
  /** The sub-protocols taken, the better one first; one of them must be offered. Empty: offers are not looked at. */
  readonly protocols: readonly string[];
  readonly isPath: (path: string) => boolean;
  readonly origins: OriginRules;
}

interface Upgrade {
  readonly resolve: (stream: ByteStream) => void;
  readonly reject: (fault: Error) => void;
}

export class WebSocketDoor {
  readonly #server: http.Server;
  readonly #underWay = new Map<ByteStream, Upgrade>();
  readonly #rules: WebSocketRules;
  readonly #isTls: boolean;

  constructor(rules: WebSocketRules, isTls: boolean) {
    this.#rules = rules;
    this.#isTls = isTls;
    this.#server = http.createServer({ maxHeaderSize: HEAD_BYTES_MAX, insecureHTTPParser: false });
    this.#server.timeout = 0;
    this.#server
      .on("upgrade", (request, socket: ByteStream, head: Buffer) => this.#onUpgrade(request, socket, head))
      .on("request", (request, response) => {
        response.writeHead(426, { Connection: "close", Upgrade: "websocket", "Content-Type": "text/plain" });
        response.end(`This port speaks ${rules.speaks} over WebSocket.\n`);
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
    const { headers } = request;
    const protocol = this.#protocolOf(headers["sec-websocket-protocol"]);
    const fault = this.#faultOf(request, protocol);
    if (fault !== undefined) {
      socket.end(`HTTP/1.1 ${fault.answer}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      this.#refuse(socket, fault.words);
      return;
    }
    const accept = createHash("sha1").update(`${headers["sec-websocket-key"]}${ACCEPT_GUID}`).digest("base64");
    const lines = [
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${accept}`,
      ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
    ];
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    this.#underWay.get(socket)?.resolve(webSocketStream(socket, head));
  }

  #faultOf({ headers, method, url }: http.IncomingMessage, protocol: string | undefined): Fault | undefined {
    const { origins, isPath, protocols, speaks } = this.#rules;
    const isUpgrade = method === "GET" && headers.upgrade?.toLowerCase() === "websocket";
    if (!isUpgrade || !/^[A-Za-z0-9+/]{22}==$/.test(headers["sec-websocket-key"] ?? "")) return faultOf("400 Bad Request");
    if (headers["sec-websocket-version"] !== "13") return faultOf("426 Upgrade Required\r\nSec-WebSocket-Version: 13");
    if (!isPath((url ?? "").split("?", 1)[0]!)) return faultOf("404 Not Found");
    const words = originFault(headers.origin, headers.host, this.#isTls, origins);
    if (words !== undefined) return { answer: "403 Forbidden", words };
    if (protocols.length === 0 || protocol !== undefined) return undefined;
    return {
      answer: "400 Bad Request",
      words: `its WebSocket upgrade does not offer the sub-protocol "${protocols[0]}", by which ${speaks} goes`,
    };
  }

  /** What we take of the offer. */
  #protocolOf(offer: string | undefined): string | undefined {
    const offered = new Set((offer ?? "").split(",").map((one) => one.trim()));
    return this.#rules.protocols.find((one) => offered.has(one));
  }

  #refuse(stream: ByteStream, words: string): void {
    stream.on("error", () => undefined); // it is over already
    this.#underWay.get(stream)?.reject(new Error(words));
  }
}

interface Fault {
  readonly answer: string;
  readonly words: string;
}

function faultOf(answer: string): Fault {
  return { answer, words: `its WebSocket upgrade was answered with ${answer.slice(0, 3)}` };
}
