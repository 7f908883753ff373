// The page's way to the device, without a browser: streams that come again, and those that were refused.

import assert from "node:assert/strict";
import { once } from "node:events";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { suite, test } from "node:test";
import { Api, type ApiError } from "#web/page/shell/api.ts";

suite("a stream of the API", () => {
  const FAULT = 'event: fault\ndata: {"code":"SERIAL_GONE","message":"port a: the device is gone"}\n\n';

  /** Answers every request with these events, and ends. */
  async function answering(text: string) {
    const server = http.createServer((_, response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      response.end(text);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    return { url: `http://127.0.0.1:${port}/`, [Symbol.dispose]: () => void server.close().closeAllConnections() };
  }

  for (const [method, last] of [
    ["GET", "lost"],
    ["POST", "refused"],
  ] as const)
    test(`what breaks down while a ${method} streams is a state with its reason, and no event`, async () => {
      using server = await answering(`event: try\ndata: {"n":1}\n\n${FAULT}`);
      const events: unknown[] = [];
      const error = await new Promise<ApiError | undefined>((resolve) => {
        const stream = new Api().stream(server.url, (event, data) => events.push([event, data]), {
          method,
          onState: (state, reason) => {
            if (state !== last) return;
            stream.close();
            resolve(reason);
          },
        });
      });
      assert.deepEqual(events, [["try", { n: 1 }]]);
      assert.deepEqual([error?.code, error?.message], ["SERIAL_GONE", "port a: the device is gone"]);
    });
});

test("a session that has ended: what only asks waits for the next login and is answered then; a change is refused, for whoever made it", async () => {
  let isIn = false;
  let asked = 0;
  const server = http.createServer((request, response) => {
    const isLogin = request.url === "/api/session" && request.method === "POST";
    isIn ||= isLogin;
    asked += 1;
    response.writeHead(isIn ? 200 : 401, { "Content-Type": "application/json" });
    const refusal = { error: { code: "WEB_NOT_LOGGED_IN", message: "log in first" } };
    response.end(JSON.stringify(!isIn ? refusal : isLogin ? { session: { csrf: "x" } } : { it: "is there" }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const api = new Api();
  let ended = 0;
  const told = new Promise<void>((resolve) =>
    api.onSignedOut(() => {
      ended += 1;
      if (ended === 2) resolve();
    }),
  );
  const waits = api.get(`${url}/api/clients`);
  await assert.rejects(api.put(`${url}/api/settings`, {}), (error: ApiError) => error.status === 401);
  await told;
  await api.post(`${url}/api/session`, { user: "u", password: "p" });
  assert.deepEqual(await waits, { it: "is there" });
  assert.deepEqual([ended, asked], [2, 4]);
  server.close().closeAllConnections();
});

suite("what waits for a login", () => {
  /** Logged in as nobody until `login`; each user's answers say whose they are. */
  async function device() {
    let user: string | undefined;
    let held: Promise<void> | undefined;
    let asked = 0;
    const server = http.createServer(async (request, response) => {
      const say = (status: number, value: unknown) => {
        response.writeHead(status, { "Content-Type": "application/json" });
        response.end(JSON.stringify(value));
      };
      if (request.url?.startsWith("/login/") === true) user = request.url.slice(7);
      if (request.url === "/api/session") {
        const answer = { session: user === undefined ? null : { user, csrf: `token of ${user}` } };
        await held;
        return say(200, answer);
      }
      asked += 1;
      if (user === undefined) return say(401, { error: { code: "WEB_NOT_LOGGED_IN", message: "log in first" } });
      return say(200, { user, csrf: request.headers["x-petiole-csrf"], session: { user, csrf: `token of ${user}` } });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      asked: () => asked,
      logOut: () => {
        user = undefined;
      },
      hold: (until: Promise<void>) => {
        held = until;
      },
      [Symbol.dispose]: () => void server.close().closeAllConnections(),
    };
  }

  const signedOut = (api: Api) => new Promise<void>((resolve) => api.onSignedOut(resolve));

  test("what somebody asked for is refused, not asked in the name of whoever logs in after them", async () => {
    using at = await device();
    const api = new Api();
    await api.post(`${at.url}/login/ann`);
    at.logOut();
    const told = signedOut(api);
    const waits = api.get(`${at.url}/api/audit`);
    await told;
    await api.post(`${at.url}/login/ben`);
    await assert.rejects(waits, (error: ApiError) => error.code === "WEB_NOT_LOGGED_IN");
    assert.equal(at.asked(), 3, "not asked again");
  });

  test("who stops waiting is let go at once, and what waits has an end", async () => {
    using at = await device();
    const api = new Api();
    const told = signedOut(api);
    const ending = new AbortController();
    const waits = api.get(`${at.url}/api/audit`, { signal: ending.signal });
    await told;
    ending.abort();
    await assert.rejects(waits, { name: "AbortError" });
    let refused = 0;
    const asking = Array.from({ length: 80 }, () =>
      api.get(`${at.url}/api/audit`).catch((error: ApiError) => {
        refused += 1;
        assert.equal(error.code, "WEB_NOT_LOGGED_IN");
      }),
    );
    await Promise.race(asking);
    api.forget(); // a log-out: what was asked before is nobody's any more
    await Promise.all(asking);
    assert.equal(refused, 80);
  });

  test("an answer about the session from before a login does not take the new one's token away", async () => {
    using at = await device();
    const api = new Api();
    const release = Promise.withResolvers<void>();
    at.hold(release.promise);
    const old = api.get(`${at.url}/api/session`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await api.post(`${at.url}/login/ann`);
    release.resolve();
    assert.deepEqual(await old, { session: null });
    const { csrf } = await api.put<{ readonly csrf: string }>(`${at.url}/api/settings`, {});
    assert.equal(csrf, "token of ann");
  });
});
