// WebSocket and the HTTP proxy against real hubs: a session by hand, then the spoke, then wrong ports and unwilling proxies.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import type * as net from "node:net";
import { test } from "node:test";
import * as tls from "node:tls";
import { systemEntropy } from "#base/entropy.ts";
import { PetioleError } from "#base/errors.ts";
import { type ByteStream, type Endpoint, systemNet } from "#base/net.ts";
import { payloadOf, subjectOf } from "#core/batch.ts";
import { openTunnel } from "#uplink/proxy.ts";
import { parseRemoteUrl, type RemoteUrl } from "#uplink/remote-url.ts";
import { openWebSocket } from "#uplink/web-socket.ts";
import { LeafParser } from "#wire/leaf-parser.ts";
import { WireWriter } from "#wire/wire-writer.ts";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { HttpProxy } from "../support/http-proxy.ts";
import { type Hub, LEAF, startHub } from "../support/hub.ts";
import { NatsServer } from "../support/nats-server.ts";
import { startSpoke } from "../support/spoke.ts";
import { HubStream } from "../support/stream.ts";

const NEVER = new AbortController().signal;
const LOGIN = { user: LEAF.user, password: LEAF.password };
const PROXY_LOGIN = { username: "gw", password: "proxy-password" };
/** How long a hub may take to answer; far above what it should. */
const ANSWER_MS = 10_000;

function urlOf(text: string): RemoteUrl {
  const parsed = parseRemoteUrl(text);
  assert.ok("value" in parsed);
  return parsed.value;
}

interface Way {
  readonly url: RemoteUrl;
  readonly ca?: string | undefined;
  readonly proxy?: HttpProxy;
  readonly isCompressed?: boolean;
}

/** TCP, tunnel, TLS, upgrade: the steps of a link, by hand. */
async function openWay({ url, ca, proxy, isCompressed = false }: Way): Promise<{ stream: ByteStream; isDeflated: boolean }> {
  let stream: ByteStream = await systemNet().dial(proxy?.endpoint ?? url.endpoint, NEVER);
  if (proxy !== undefined) stream = await openTunnel(stream, { target: url.endpoint, ...noLogin(), label: proxy.url }, NEVER);
  if (url.isTls) stream = await secured(stream as net.Socket, ca);
  return await openWebSocket(stream, { url, isCompressed, entropy: systemEntropy() }, NEVER);
}

function noLogin() {
  return { username: null, password: null };
}

async function secured(socket: net.Socket, ca: string | undefined): Promise<tls.TLSSocket> {
  const secure = tls.connect({ socket, host: "localhost", ...(ca === undefined ? {} : { ca: await fs.readFile(ca) }) });
  await new Promise((resolve, reject) => secure.once("secureConnect", resolve).once("error", reject));
  return secure;
}

/** A leaf by hand: what the hub says, one line an event, and what we write. */
class Session implements AsyncDisposable {
  readonly heard: string[] = [];
  readonly #stream: ByteStream;
  readonly #out = new WireWriter();
  #waiting: { readonly line: RegExp; readonly resolve: (found: string) => void }[] = [];
  /** Messages and their payload bytes, whatever the subject. */
  messages = 0;
  bytes = 0;

  constructor(stream: ByteStream) {
    this.#stream = stream;
    const parser = new LeafParser({
      onBatch: (batch) => {
        for (let i = 0; i < batch.count; i++) {
          this.messages += 1;
          this.bytes += payloadOf(batch, i).length;
          this.#say(`msg ${subjectOf(batch, i)}=${payloadOf(batch, i).subarray(0, 20)}`);
        }
      },
      onInterest: (filter) => this.#say(`ls+ ${filter}`),
      onInterestGone: (filter) => this.#say(`ls- ${filter}`),
      onPing: () => this.send("PONG\r\n"),
      onPong: () => this.#say("pong"),
      onInfo: (json) => this.#say(`info ${json}`),
      onError: (text) => this.#say(`err ${text}`),
    });
    stream.on("data", (chunk: Buffer) => parser.parse(chunk));
    stream.on("error", (error) => this.#say(`failed ${error.message}`)).on("close", () => this.#say("closed"));
  }

  send(text: string): void {
    this.#out.text(text);
    const bytes = this.#out.take();
    this.#stream.write(bytes, () => this.#out.giveBack(bytes));
  }

  /** INFO, CONNECT, the answer to it, and a round trip. */
  async join(): Promise<{ readonly first: Record<string, unknown>; readonly second: Record<string, unknown> }> {
    const first = JSON.parse((await this.hears(/^info /)).slice(5)) as Record<string, unknown>;
    const [user, pass] = [LEAF.user, LEAF.password];
    const connect = {
      version: "2.15.1",
      name: "by-hand",
      cluster: "by-hand",
      headers: true,
      protocol: 1,
      compress_mode: "off",
      user,
      pass,
    };
    this.send(`CONNECT ${JSON.stringify(connect)}\r\nPING\r\n`);
    const second = JSON.parse((await this.hears(/^info .*"connect_info":true/)).slice(5)) as Record<string, unknown>;
    await this.hears(/^pong/);
    return { first, second };
  }

  async hears(line: RegExp): Promise<string> {
    const found = this.heard.find((each) => line.test(each));
    if (found !== undefined) return found;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(
      () => reject(new Error(`never heard ${line}; heard ${JSON.stringify(this.heard.slice(-5))}`)),
      ANSWER_MS,
    );
    this.#waiting.push({ line, resolve });
    return await promise.finally(() => clearTimeout(timer));
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#stream.destroyed) this.#stream.end();
    await this.hears(/^closed/);
  }

  #say(line: string): void {
    this.heard.push(line);
    this.#waiting = this.#waiting.filter((each) => {
      if (each.line.test(line)) each.resolve(line);
      return !each.line.test(line);
    });
  }
}

async function faultOf(opening: Promise<unknown>): Promise<PetioleError> {
  const fault = await opening.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(fault instanceof PetioleError, String(fault));
  return fault;
}

function webSocketUrl(hub: Hub, path = ""): RemoteUrl {
  return urlOf(`${hub.webSocketUrl}${path}`);
}

for (const version of TESTED_LINES) {
  for (const webSocket of ["clear", "tls"] as const) {
    for (const way of ["straight", "deflated", "through a proxy"] as const) {
      test(`hub ${version}, ${webSocket === "tls" ? "wss" : "ws"}, ${way}: INFO comes, CONNECT is answered, messages go both ways`, async () => {
        await using hub = await startHub({ version, webSocket });
        await using proxy = await HttpProxy.listen();
        const isCompressed = way === "deflated";
        const url = webSocketUrl(hub, way === "straight" ? "/prefix" : "");
        const { stream, isDeflated } = await openWay({
          url,
          ca: hub.ca,
          isCompressed,
          ...(way === "through a proxy" ? { proxy } : {}),
        });
        assert.equal(isDeflated, isCompressed);
        await using session = new Session(stream);
        const { first } = await session.join();
        assert.ok("leafnode_urls" in first || "info_on_connect" in first, "it is the leaf's INFO, not a client's");
        const nats = await hub.connect();
        const readings = nats.subscribe("up.>");
        await session.hears(/^ls\+ up\.>/);
        session.send("LS+ down.>\r\nPING\r\n");
        const payload = "21.5 ".repeat(400);
        session.send(`LMSG up.a 4\r\n21.5\r\nLMSG up.b ${payload.length}\r\n${payload}\r\n`);
        const arrived: string[] = [];
        for await (const message of readings) {
          arrived.push(`${message.subject}=${message.data.length}`);
          if (arrived.length === 2) break;
        }
        assert.deepEqual(arrived, ["up.a=4", `up.b=${payload.length}`]);
        nats.publish("down.x", "open");
        nats.publish("down.y", payload);
        await session.hears(/^msg down\.x=open$/);
        await session.hears(/^msg down\.y=21\.5 21\.5/);
        if (way === "through a proxy") assert.deepEqual(proxy.targets, [`127.0.0.1:${url.endpoint.port}`]);
      });
    }
  }

  test(`hub ${version}: with permessage-deflate agreed, S2 is at most offered, and "off" keeps it away`, async () => {
    await using hub = await startHub({ version, webSocket: "clear", leafnodes: { compression: "s2_fast" } });
    const { stream, isDeflated } = await openWay({ url: webSocketUrl(hub), isCompressed: true });
    assert.ok(isDeflated);
    await using session = new Session(stream);
    const { first, second } = await session.join();
    assert.equal(first["compression"], version === "2.10" ? "s2_fast" : undefined); // spec §8.3
    assert.equal(second["connect_info"], true);
    session.send("PING\r\n".repeat(100));
    await session.hears(/^pong/);
  });

  test(`hub ${version}: a backlog of many megabytes comes through, though the hub puts it into few frames`, async () => {
    await using hub = await startHub({ version, webSocket: "clear" });
    const { stream } = await openWay({ url: webSocketUrl(hub) });
    await using session = new Session(stream);
    await session.join();
    session.send("LS+ big.>\r\n");
    const nats = await hub.connect();
    const probe = nats.subscribe("big.probe");
    await nats.flush();
    await session.hears(/^pong/);
    while (!session.heard.some((line) => line.startsWith("msg big.ready"))) {
      nats.publish("big.ready");
      await nats.flush();
      await new Promise((turn) => setImmediate(turn));
    }
    probe.unsubscribe();
    const before = session.bytes;
    session.pause();
    for (let i = 0; i < 32; i++) nats.publish("big.load", Buffer.alloc(1_000_000, "x"));
    nats.publish("big.end");
    await nats.flush();
    session.resume();
    await session.hears(/^msg big\.end/);
    assert.equal(session.bytes - before, 32_000_000);
  });

  test(`hub ${version} shuts down: the stream ends with the hub's own reason`, async () => {
    await using hub = await startHub({ version, webSocket: "clear" });
    const { stream } = await openWay({ url: webSocketUrl(hub) });
    await using session = new Session(stream);
    await session.join();
    await hub.server.stop();
    assert.match(await session.hears(/^failed /), /closed the WebSocket with code 1001, "Server Shutdown": it is going away$/);
  });

  test(`hub ${version} rejects a login: -ERR is read, then the close`, async () => {
    await using hub = await startHub({ version, webSocket: "clear" });
    const { stream } = await openWay({ url: webSocketUrl(hub) });
    await using session = new Session(stream);
    await session.hears(/^info /);
    session.send(`CONNECT {"version":"2.15.1","user":"leaf","pass":"wrong"}\r\n`);
    await session.hears(/^err Authorization Violation/);
    assert.match(await session.hears(/^failed /), /closed the WebSocket with code 10\d\d/);
  });

  test(`hub ${version}: wrong ports and schemes are named`, async () => {
    await using clear = await startHub({ version, webSocket: "clear" });
    await using secure = await startHub({ version, webSocket: "tls", tls: "first" });
    const wsTo = (port: number, path = "") => openWay({ url: urlOf(`ws://127.0.0.1:${port}${path}`) });
    const wssTo = (port: number) => openWay({ url: urlOf(`wss://127.0.0.1:${port}`), ca: secure.ca });
    const fault = async (opening: Promise<unknown>) => {
      const { code, message } = await faultOf(opening);
      return `${code} ${message}`;
    };
    assert.match(
      await fault(wsTo(clear.server.port("leaf"))),
      /^LEAF_WRONG_PORT .* is a plain NATS port, .*use nats:\/\/ or tls:\/\//,
    );
    assert.match(await fault(wsTo(clear.server.port("client"))), /^LEAF_WRONG_PORT .* is a plain NATS port/);
    assert.match(
      await fault(wsTo(clear.server.port("monitor"))),
      /^LEAF_UPGRADE_REFUSED .* HTTP 404 Not Found; there is no NATS WebSocket at \/leafnode/,
    );
    assert.match(await fault(wsTo(secure.server.port("websocket"))), /^LEAF_UPGRADE_REFUSED .* HTTP 400 .*use wss:\/\//);
    assert.match(
      await fault(wsTo(secure.server.port("leaf"))),
      /^LEAF_(NOT_NATS .* answers in TLS; use wss|CLOSED .* wants wss):\/\//,
    );
    assert.match(await fault(wssTo(secure.server.port("leaf"))), /^LEAF_WRONG_PORT .* is a plain NATS port, .*use tls:\/\//);
  });

  test(`hub ${version} without a leafnodes block takes the upgrade and closes: that is what we say`, async () => {
    await using server = await NatsServer.start({ version, config: { websocket: { no_tls: true } } });
    const { stream } = await openWay({ url: urlOf(`ws://127.0.0.1:${server.port("websocket")}`) });
    await using session = new Session(stream);
    assert.match(await session.hears(/^failed /), /it probably has no leafnodes listener/);
  });

  for (const way of ["tcp", "upgrade", "first", "ws", "wss"] as const) {
    test(`hub ${version}: the spoke goes through a proxy with a login, ${way}`, async () => {
      const isWebSocket = way === "ws" || way === "wss";
      await using hub = await startHub({
        version,
        tls: way === "upgrade" || way === "first" ? way : "none",
        ...(isWebSocket ? { webSocket: way === "wss" ? ("tls" as const) : ("clear" as const) } : {}),
      });
      await using proxy = await HttpProxy.listen({
        login: PROXY_LOGIN,
        isGluing: way === "tcp" || way === "upgrade",
        isCrumbling: true,
      });
      const url = isWebSocket ? hub.webSocketUrl : hub.leafUrl;
      await using spoke = await startSpoke({
        remote: {
          urls: [url],
          ...LOGIN,
          tls: hub.ca === undefined ? null : { handshake_first: way === "first", ca_file: hub.ca },
          proxy: { url: proxy.url, ...PROXY_LOGIN },
        },
      });
      const report = await spoke.untilReady();
      assert.equal(report.remotes[0]!.link.tls, hub.ca !== undefined);
      if (isWebSocket) assert.equal(report.remotes[0]!.link.url, `${url}/leafnode`);
      const nats = await hub.connect();
      const readings = nats.subscribe("sensors.>");
      await nats.flush();
      await using device = await spoke.device();
      await device.publishAsync("sensors/a", "21.5", { qos: 1 });
      for await (const message of readings) {
        assert.equal(`${message.subject}=${message.string()}`, "sensors.a=21.5");
        break;
      }
      assert.equal(proxy.tunnels, proxy.targets.length);
      assert.equal(proxy.targets[0], `127.0.0.1:${new URL(url.replace(/^[a-z-]+:/, "http:")).port}`);
      assert.ok(!spoke.log.join("\n").includes(PROXY_LOGIN.password));
    });
  }

  test(`hub ${version}: the spoke over ws knows why the hub went, holds what comes meanwhile, and is back after its restart`, async () => {
    await using hub = await startHub({ version, webSocket: "clear", jetstream: true });
    const nats = await hub.connect({ maxReconnectAttempts: -1, reconnectTimeWait: 100 });
    const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"]);
    await using spoke = await startSpoke({ remote: { urls: [hub.webSocketUrl], ...LOGIN } });
    await spoke.untilReady();
    await using device = await spoke.device();
    await hub.server.stop();
    await spoke.until("the link is down", ({ remotes }) => remotes[0]!.link.state !== "ready");
    assert.ok(
      spoke.log.some((line) => line.includes("Server Shutdown")),
      "the hub's reason is in the log",
    );
    await device.publishAsync("sensors/a", "21.5", { qos: 1 });
    await hub.server.restart();
    await stream.holds(1);
    assert.deepEqual(await stream.payloads(), ["21.5"]);
    await spoke.untilReady();
  });
}

test("a proxy that is unwilling, silent or none is named in the spoke's status, and the spoke goes on trying", async () => {
  const hub: Endpoint = { host: "127.0.0.1", port: 7422 };
  const cases = [
    [{ login: PROXY_LOGIN }, null, "LEAF_PROXY_REFUSED", /it wants a user and password/],
    [{ login: PROXY_LOGIN }, { username: "gw", password: "not-that" }, "LEAF_PROXY_REFUSED", /does not accept proxy.username/],
    [{ answers: "HTTP/1.1 403 Forbidden\r\n\r\n" }, null, "LEAF_PROXY_REFUSED", /it forbids port 7422/],
    [{ answers: "HTTP/1.1 503 Busy\r\n\r\n" }, null, "LEAF_PROXY_FAILED", /overloaded/],
    [{ answers: Buffer.alloc(100, 0) }, null, "LEAF_PROXY_FAILED", /does not speak HTTP/],
    [{ answers: `HTTP/1.1 200 OK\r\nX: ${"y".repeat(50_000)}` }, null, "LEAF_PROXY_FAILED", /more than 16384 bytes/],
    [{ isSilent: true }, null, "LEAF_DIAL_FAILED", /did not open the way .* within 1 s/],
  ] as const;
  await Promise.all(
    cases.map(async ([manners, login, code, words]) => {
      await using proxy = await HttpProxy.listen(manners);
      const block = { url: proxy.url, timeout: "1s", ...login };
      await using spoke = await startSpoke({ remote: { urls: [`ws://${hub.host}:${hub.port}`], ...LOGIN, proxy: block } });
      const report = await spoke.until("the fault is told", ({ remotes }) => remotes[0]!.link.last_error !== null);
      const { code: found, message } = report.remotes[0]!.link.last_error!;
      assert.equal(found, code, message);
      assert.match(message, words);
      assert.ok(!message.includes("not-that"));
      await spoke.until("it tries again", () => proxy.requests.length >= 2);
    }),
  );
});
