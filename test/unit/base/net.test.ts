import assert from "node:assert/strict";
import type * as net from "node:net";
import { test } from "node:test";
import { systemNet } from "#base/net.ts";

/** What Node remembers of a socket's options, by the names of its own symbols. */
function remembered(socket: object, name: string): unknown {
  const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === name);
  assert.ok(symbol !== undefined, `this Node has no ${name}`);
  return (socket as Record<symbol, unknown>)[symbol];
}

test("connections are made and accepted without Nagle's delay, and with keep-alive", async () => {
  const accepted = Promise.withResolvers<net.Socket>();
  await using listener = await systemNet().listen({ host: "127.0.0.1", port: 0 }, (stream) =>
    accepted.resolve(stream as net.Socket),
  );
  const dialed = (await systemNet().dial(listener.endpoint, new AbortController().signal)) as net.Socket;
  const near = await accepted.promise;
  try {
    assert.equal(remembered(dialed, "kSetNoDelay"), true);
    assert.equal(remembered(dialed, "kSetKeepAlive"), true);
    assert.equal(remembered(near, "kSetNoDelay"), true);
  } finally {
    dialed.destroy();
    near.destroy();
  }
});
