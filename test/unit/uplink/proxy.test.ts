// A tunnel through a proxy that is good, slow, lying or not there. The proxy is the other end of a pair of streams.

import assert from "node:assert/strict";
import { duplexPair } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { PetioleError, type Remedy } from "#base/errors.ts";
import type { ByteStream } from "#base/net.ts";
import { Secret } from "#base/secret.ts";
import { openTunnel, type TunnelOptions } from "#uplink/proxy.ts";

const HUB = { host: "hub.example.com", port: 7422 };
const OPTIONS: TunnelOptions = { target: HUB, username: null, password: null, label: "http://proxy:3128" };
const LOGIN = { username: "gw", password: new Secret("hunter2ü") };
const OK = "HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n";

/** Answers the request with `pieces`, each in a turn of its own; gives what was asked. */
async function answering(far: ByteStream, pieces: readonly (string | Buffer)[], thenEnd: boolean): Promise<string> {
  let asked = "";
  while (!asked.endsWith("\r\n\r\n")) {
    const [chunk] = (await eventOf(far, "data")) as [Buffer];
    asked += chunk.toString("latin1");
  }
  for (const piece of pieces) {
    far.write(piece);
    await new Promise((turn) => setImmediate(turn));
  }
  if (thenEnd) far.end();
  return asked;
}

async function eventOf(stream: ByteStream, name: string): Promise<unknown[]> {
  return await new Promise((resolve) => stream.once(name, (...args) => resolve(args)));
}

async function faultOf(answer: string | Buffer, options: Partial<TunnelOptions> = {}, end = true): Promise<PetioleError> {
  const [near, far] = duplexPair();
  const asked = answering(far, [answer], end);
  let fault: unknown;
  await openTunnel(near, { ...OPTIONS, ...options }, never()).catch((error: unknown) => {
    fault = error;
  });
  await asked;
  assert.ok(fault instanceof PetioleError, String(fault));
  assert.ok(near.destroyed, "nothing is left behind");
  assert.match(fault.message, /http:\/\/proxy:3128/);
  assert.ok(!fault.message.includes("hunter2") && !fault.message.includes("Z3c6"), "no secret");
  return fault;
}

function never(): AbortSignal {
  return new AbortController().signal;
}

/** Reads `count` bytes of whatever the tunnel brings. */
async function take(stream: ByteStream, count: number): Promise<string> {
  let text = "";
  const { promise, resolve } = Promise.withResolvers<void>();
  const onData = (chunk: Buffer) => {
    text += chunk.toString("latin1");
    if (text.length >= count) resolve();
  };
  stream.on("data", onData);
  await promise;
  stream.off("data", onData);
  return text;
}

test("a tunnel is asked for by name and port, and login where there is one", async () => {
  for (const [options, wanted] of [
    [OPTIONS, "CONNECT hub.example.com:7422 HTTP/1.1\r\nHost: hub.example.com:7422\r\nUser-Agent: petiole\r\n\r\n"],
    [
      { ...OPTIONS, ...LOGIN, target: { host: "2001:db8::1", port: 443 } },
      `CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\nUser-Agent: petiole\r\nProxy-Authorization: Basic ${Buffer.from("gw:hunter2ü").toString("base64")}\r\n\r\n`,
    ],
    [
      { ...OPTIONS, username: "gw" },
      `CONNECT hub.example.com:7422 HTTP/1.1\r\nHost: hub.example.com:7422\r\nUser-Agent: petiole\r\nProxy-Authorization: Basic ${Buffer.from("gw:").toString("base64")}\r\n\r\n`,
    ],
  ] as const) {
    const [near, far] = duplexPair();
    const [asked, stream] = await Promise.all([answering(far, [OK], false), openTunnel(near, options, never())]);
    assert.equal(asked, wanted);
    assert.equal(stream, near);
    near.destroy();
  }
});

test("bytes behind the header belong to the tunnel, wherever the answer was cut", async () => {
  const answer = `${OK}INFO {"x":1}\r\n`;
  const cuts = Array.from({ length: answer.length - 1 }, (_, i) => [answer.slice(0, i + 1), answer.slice(i + 1)]);
  for (const pieces of [[answer], [...answer], ...cuts]) {
    const [near, far] = duplexPair();
    const asked = answering(far, pieces, false);
    const stream = await openTunnel(near, OPTIONS, never());
    assert.equal(await take(stream, 'INFO {"x":1}\r\n'.length), 'INFO {"x":1}\r\n');
    await asked;
    assert.equal(stream.listenerCount("error") + stream.listenerCount("readable") + stream.listenerCount("close"), 0);
    near.destroy();
  }
});

test("any 2xx opens the tunnel, interim answers before it are passed over", async () => {
  for (const answer of [
    "HTTP/1.0 200\r\n\r\n",
    "HTTP/1.1 299 Fine\r\n\r\n",
    `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\nA: b\r\n\r\n${OK}`,
  ]) {
    const [near, far] = duplexPair();
    const [, stream] = await Promise.all([answering(far, [answer], false), openTunnel(near, OPTIONS, never())]);
    far.write("hi");
    assert.equal(await take(stream, 2), "hi");
    near.destroy();
  }
});

test("a proxy that says no is reported with its status, what to do, and whether trying again may help", async () => {
  const cases: readonly (readonly [
    answer: string,
    options: Partial<TunnelOptions>,
    code: string,
    remedy: Remedy,
    text: RegExp,
  ])[] = [
    [
      "407 Auth\r\nProxy-Authenticate: Basic realm=x",
      {},
      "LEAF_PROXY_REFUSED",
      "backoff",
      /407 Auth; it wants a user and password: set proxy.username/,
    ],
    [
      "407 Auth\r\nProxy-Authenticate: Basic realm=x",
      LOGIN,
      "LEAF_PROXY_REFUSED",
      "backoff",
      /does not accept proxy.username and proxy.password/,
    ],
    [
      "407 Auth\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM",
      LOGIN,
      "LEAF_PROXY_REFUSED",
      "backoff",
      /login by Negotiate or NTLM, we know Basic only/,
    ],
    [
      "403 Forbidden",
      {},
      "LEAF_PROXY_REFUSED",
      "backoff",
      /refused the way to hub.example.com:7422 with HTTP 403 Forbidden; it forbids port 7422/,
    ],
    ["405 No", {}, "LEAF_PROXY_REFUSED", "backoff", /does not do CONNECT/],
    ["302 Found\r\nLocation: http://portal/", {}, "LEAF_PROXY_REFUSED", "backoff", /wanted 200/],
    ["101 Switching", {}, "LEAF_PROXY_REFUSED", "backoff", /wanted 200/],
    ["429 Slow down", {}, "LEAF_PROXY_FAILED", "retry", /too much to do/],
    [
      "502 Bad Gateway",
      {},
      "LEAF_PROXY_FAILED",
      "retry",
      /did not get through to hub.example.com:7422: HTTP 502 Bad Gateway; it cannot reach the hub/,
    ],
    ["503 Busy", {}, "LEAF_PROXY_FAILED", "retry", /overloaded or being restarted/],
    ["504 Late", {}, "LEAF_PROXY_FAILED", "retry", /the hub did not answer it/],
  ];
  for (const [answer, options, code, remedy, text] of cases) {
    const fault = await faultOf(`HTTP/1.1 ${answer}\r\nContent-Length: 2\r\n\r\nno`, options);
    assert.deepEqual([fault.code, fault.remedy], [code, remedy], answer);
    assert.match(fault.message, text);
  }
});

test("what is no proxy is told apart: NATS, TLS, garbage, a lying status line, a header without end, silence at the end", async () => {
  assert.match((await faultOf('INFO {"server_id":"N"}\r\n')).message, /is a NATS server, no HTTP proxy/);
  assert.match((await faultOf(Buffer.from("15030100020246", "hex"))).message, /answers in TLS/);
  assert.match((await faultOf(Buffer.alloc(64))).message, /does not speak HTTP: found "··+…"/);
  assert.match((await faultOf("SSH-2.0-OpenSSH\r\n", {}, false)).message, /found "SSH-2.0-OpenSSH··"/);
  assert.match((await faultOf("HTTP/1.1 20 OK\r\n\r\n")).message, /the status line "HTTP\/1.1 20 OK"/);
  assert.match((await faultOf("HTTP/1.1 200 OK\r\nA\0: b\r\n\r\n")).message, /the header line "A·: b"/);
  assert.match((await faultOf(`HTTP/1.1 200 OK\r\nA: ${"x".repeat(40_000)}`, {}, false)).message, /more than 16384 bytes/);
  assert.match((await faultOf("HTTP/1.1 100 Go on\r\n\r\n".repeat(2000), {}, false)).message, /interim answers without an end/);
  assert.match((await faultOf("HTTP/1.1 200 OK\r\nA: b")).message, /an unfinished header/);
  assert.match((await faultOf("")).message, /closed the connection instead of answering/);
  assert.equal((await faultOf("")).remedy, "retry");
});

test("a fault of the network is the cause of the fault reported", async () => {
  const [near, far] = duplexPair();
  far.resume().once("data", () => near.destroy(Object.assign(new Error("reset"), { code: "ECONNRESET" })));
  await assert.rejects(openTunnel(near, OPTIONS, never()), (error) => {
    assert.ok(error instanceof PetioleError && error.cause instanceof Error && error.cause.message === "reset");
    return true;
  });
  await assert.rejects(openTunnel(near, OPTIONS, never()), /closed the connection instead of answering/); // a dead stream
});

test("giving up ends the stream with the signal's reason, before and while waiting, and leaves no listener", async () => {
  const [near, far] = duplexPair();
  const attempt = new AbortController();
  const asked = answering(far, ["HTTP/1.1 2"], false);
  const opening = openTunnel(near, OPTIONS, attempt.signal);
  await asked;
  attempt.abort(new Error("given up"));
  await assert.rejects(opening, /^Error: given up$/);
  assert.ok(near.destroyed);
  const [other] = duplexPair();
  await assert.rejects(openTunnel(other, OPTIONS, attempt.signal), /given up/);
  assert.ok(other.destroyed);
});

test("a user name with a colon is refused before anything is sent", async () => {
  const [near, far] = duplexPair();
  far.on("data", () => assert.fail("nothing must be sent"));
  await assert.rejects(
    openTunnel(near, { ...OPTIONS, username: "a:b", password: new Secret("hunter2") }, never()),
    /with a colon/,
  );
});

test("whatever a proxy answers, the outcome is a tunnel or a named fault", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 "),
      fc.uint8Array({ maxLength: 100 }),
      async (begin, rest) => {
        const [near, far] = duplexPair();
        const asked = answering(far, [Buffer.concat([Buffer.from(begin), rest])], true);
        await openTunnel(near, OPTIONS, never()).catch((error: unknown) =>
          assert.ok(error instanceof PetioleError, String(error)),
        );
        await asked;
        near.destroy();
      },
    ),
    { numRuns: 200 },
  );
});
