// Reads an accepted connection into a buffer that is lent, instead of into a fresh one for each read.
//
//   socket ── read ──▶ [ buffer ] ── onChunk ──▶ used up before it returns, then the next read, of whichever connection
//
// Node reserves 64 KiB outside of its heap for every read, and hears of it: V8 then marks its whole heap each time that some
// dozens of megabytes have come in. With 4 KiB messages that was half of all processor time. Sockets that we dial can be told
// of a buffer when they are made (`onread` of net.connect); for accepted ones Node has no words, so the connection is moved
// to a socket that was.

import * as net from "node:net";
import type { ByteStream } from "./net.ts";

/** What a `net.Socket` wraps. Not in Node's documentation, hence looked at before it is used. */
interface Handle {
  useUserBuffer(buffer: Uint8Array): void;
}

/**
 * Calls `onChunk` with all that comes, in a buffer that is valid until it returns; may share `buffer` with any number of others.
 * For an accepted stream, before anything was read of it. Use the returned stream from then on: the given one is spent, or the same.
 */
export function lendChunks(stream: ByteStream, buffer: Buffer, onChunk: (chunk: Buffer) => void): ByteStream {
  const handle = handleOf(stream);
  if (handle === undefined) return stream.on("data", onChunk); // TLS, WebSocket, or no socket at all
  const spent = stream as net.Socket & { _handle: Handle | null };
  spent._handle = null;
  const socket = new net.Socket({
    handle: handle as never, // the types know of another kind only
    allowHalfOpen: spent.allowHalfOpen,
    onread: {
      buffer,
      callback: (bytes) => {
        onChunk(bytes === buffer.length ? buffer : buffer.subarray(0, bytes));
        return true; // `pause` stops it at once
      },
    },
  });
  spent.destroy(); // it has nothing left to close
  return socket;
}

function handleOf(stream: ByteStream): Handle | undefined {
  if (Object.getPrototypeOf(stream) !== net.Socket.prototype || stream.readableLength > 0) return undefined;
  const { _handle: handle } = stream as unknown as { readonly _handle: Partial<Handle> | null };
  return typeof handle?.useUserBuffer === "function" ? (handle as Handle) : undefined;
}
