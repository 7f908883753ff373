import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { lendChunks } from "#base/lend-chunks.ts";
import { type ByteStream, systemNet } from "#base/net.ts";

/** A listener that reads into one buffer of `bytes`, and what it read of every connection. */
async function opened(bytes: number) {
  const scope = new AsyncDisposableStack();
  const buffer = Buffer.alloc(bytes);
  const accepted: { readonly stream: ByteStream; text: string; readonly chunks: Buffer[] }[] = [];
  const listener = scope.use(
    await systemNet().listen({ host: "127.0.0.1", port: 0 }, (stream) => {
      const one = { stream: lendChunks(stream, buffer, onChunk), text: "", chunks: [] as Buffer[] };
      function onChunk(chunk: Buffer): void {
        one.text += chunk.toString("latin1");
        one.chunks.push(chunk);
        one.stream.emit("heard");
      }
      accepted.push(one);
      scope.defer(() => void one.stream.destroy());
    }),
  );
  const dial = async () => {
    const socket = net.connect(listener.endpoint);
    scope.defer(() => void socket.destroy());
    const before = accepted.length;
    await once(socket, "connect");
    while (accepted.length === before) await new Promise((next) => setImmediate(next));
    return { socket, far: accepted.at(-1)! };
  };
  return { buffer, dial, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

async function heard(far: { readonly stream: ByteStream; readonly text: string }, text: string): Promise<void> {
  while (far.text.length < text.length) await once(far.stream, "heard");
  assert.ok(far.text === text, "the same bytes in the same order");
}

test("what comes is read into the one buffer, in order, by several connections in turn", async () => {
  await using listener = await opened(1000);
  const [one, two] = [await listener.dial(), await listener.dial()];
  const texts = ["a".repeat(2500), "b".repeat(2500)] as const;
  one.socket.write(texts[0]);
  two.socket.write(texts[1]);
  await heard(one.far, texts[0]);
  await heard(two.far, texts[1]);
  for (const chunk of [...one.far.chunks, ...two.far.chunks]) assert.equal(chunk.buffer, listener.buffer.buffer);
});

test("a paused connection is not read, and goes on where it stopped", async () => {
  await using listener = await opened(64);
  const { socket, far } = await listener.dial();
  far.stream.once("heard", () => far.stream.pause());
  const text = Array.from({ length: 100 }, (_, i) => `${i},`).join("");
  socket.write(text);
  await once(far.stream, "heard");
  const seen = far.text;
  for (let i = 0; i < 20; i++) await new Promise((next) => setImmediate(next));
  assert.equal(far.text, seen);
  assert.ok(seen.length <= 64);
  far.stream.resume();
  await heard(far, text);
});

test("the returned stream is the connection: its address, what is written, its end and its close", async () => {
  await using listener = await opened(64);
  const { socket, far } = await listener.dial();
  assert.equal(far.stream.remotePort, socket.localPort);
  far.stream.write("hello");
  const [said] = (await once(socket, "data")) as [Buffer];
  assert.equal(String(said), "hello");
  const closed = once(far.stream, "close");
  socket.end("bye");
  await closed;
  assert.equal(far.text, "bye");
});

test("a stream that is no plain socket is heard as it is", async () => {
  const stream = new Duplex({ read: () => undefined });
  const chunks: Buffer[] = [];
  assert.equal(
    lendChunks(stream, Buffer.alloc(8), (chunk) => void chunks.push(chunk)),
    stream,
  );
  stream.push("longer than the buffer");
  await new Promise((next) => setImmediate(next));
  assert.equal(String(Buffer.concat(chunks)), "longer than the buffer");
  stream.destroy();
});
