// A client's WebSocket as a stream of bytes: the payload of its frames one behind the other, ours in frames.
//
//   socket ──▶ reader ──▶ stream      payload is handed on as it arrives; a full stream stops the socket
//   socket ◀── frames ◀── stream      one write, or all that was corked together, is one frame
//
// What a frame announces is never reserved, so a stranger's claim on memory stays what the protocol's own parser states.

import { Duplex } from "node:stream";
import { PetioleError } from "#base/errors.ts";
import type { ByteStream } from "#base/net.ts";
import { OPCODE, WebSocketReader } from "#wire/web-socket-reader.ts";
import { serverFrameHeader } from "#wire/web-socket-writer.ts";

const CLOSE_NORMAL = 1000;
const CLOSE_BREACH = 1002;
const CLOSE_UNSAID = 1005;
/** With so much unsent, a ping is not answered. */
const PONG_BYTES_MAX = 65_536;

type Done = (fault?: Error | null) => void;

/** From now on `socket` belongs to the stream. `head`: what came behind the upgrade already. */
export function webSocketStream(socket: ByteStream, head: Buffer): ByteStream {
  let hasSentClose = false;
  let hasEnded = false;

  const sayGoodbye = (code: number): void => {
    if (hasSentClose) return;
    hasSentClose = true;
    if (!socket.writable) return;
    socket.write(Buffer.concat([serverFrameHeader(OPCODE.close, 2), Buffer.of(code >> 8, code & 0xff)]));
    socket.end();
  };
  const finish = (): void => {
    if (hasEnded) return;
    hasEnded = true;
    stream.push(null);
  };
  const reader = new WebSocketReader(
    {
      onPayload: (bytes) => {
        if (!hasEnded && !stream.push(bytes)) socket.pause();
      },
      onDeflatedEnd: () => undefined, // deflate is not agreed
      onPing: (payload) => {
        if (hasSentClose || socket.writableLength > PONG_BYTES_MAX) return;
        socket.write(Buffer.concat([serverFrameHeader(OPCODE.pong, payload.length), payload]));
      },
      onClose: (code) => {
        finish();
        sayGoodbye(code === CLOSE_UNSAID ? CLOSE_NORMAL : code);
      },
    },
    { isDeflateAgreed: false, from: "client" },
  );
  const read = (chunk: Buffer): void => {
    try {
      reader.read(chunk);
    } catch (error) {
      if (!(error instanceof PetioleError)) throw error;
      sayGoodbye(CLOSE_BREACH);
      stream.destroy(error);
    }
  };
  /** Several slabs in one frame: the header, then all of them. */
  const send = (parts: readonly Buffer[], done: Done): void => {
    const last = parts.at(-1);
    if (hasSentClose || last === undefined) {
      done(hasSentClose ? new Error("the WebSocket is closed") : null);
      return;
    }
    socket.cork();
    socket.write(
      serverFrameHeader(
        OPCODE.binary,
        parts.reduce((sum, { length }) => sum + length, 0),
      ),
    );
    for (const part of parts.slice(0, -1)) socket.write(part);
    socket.write(last, done);
    socket.uncork();
  };

  const duplex = new Duplex({
    read: () => void socket.resume(),
    write: (bytes: Buffer, _, done) => send([bytes], done),
    writev: (chunks, done) =>
      send(
        chunks.map(({ chunk }) => chunk as Buffer),
        done,
      ),
    final: (done) => {
      sayGoodbye(CLOSE_NORMAL);
      done();
    },
    destroy: (fault, done) => {
      hasEnded = true;
      if (fault === null || !socket.writable) socket.destroy();
      else socket.end(() => socket.destroy()); // the reason goes out first
      done(fault);
    },
  });
  const { remoteAddress, remotePort } = socket;
  const stream: ByteStream = Object.assign(duplex, { remoteAddress, remotePort });
  stream.on("error", () => undefined); // until somebody else listens
  socket
    .on("data", read)
    .on("error", (fault) => stream.destroy(fault))
    .on("end", finish)
    .on("close", () => {
      finish();
      if (stream.readableEnded || !stream.readable) stream.destroy();
      else stream.once("end", () => stream.destroy());
    });
  if (head.length > 0) read(Buffer.from(head));
  return stream;
}
