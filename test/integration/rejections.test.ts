// What real hubs refuse, what we make of it, and how long we stay away.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { Fleet } from "../support/failover.ts";
import { FakeClock, turn } from "../support/fake-clock.ts";
import { CLIENT, type Hub, type HubOptions, LEAF, startHub } from "../support/hub.ts";
import { LinkHarness, remoteFrom } from "../support/link-harness.ts";
import { RawNatsClient } from "../support/nats-client.ts";

const LOGIN = { user: LEAF.user, password: LEAF.password };

interface Refusal {
  readonly hub: Hub;
  readonly block?: Parameters<typeof remoteFrom>[0];
  /** What the spoke announces, unasked. */
  readonly interest?: readonly string[];
}

type Arrange = (version: HubOptions["version"], scope: AsyncDisposableStack) => Promise<Refusal>;

const REFUSALS: readonly (readonly [name: string, code: string, least: number, most: number, arrange: Arrange])[] = [
  [
    "a hub that hears its own loop subject from us",
    "LEAF_LOOP",
    30_000,
    31_000,
    async (version, scope) => {
      const hub = scope.use(await startHub({ version }));
      return { hub, interest: [await loopSubjectOf(hub)] };
    },
  ],
  [
    "a hub whose cluster has our name",
    "LEAF_SAME_CLUSTER",
    30_000,
    31_000,
    async (version, scope) => {
      const cluster = { name: "gw-1", host: "127.0.0.1", port: -1 };
      return { hub: scope.use(await startHub({ version, config: { cluster } })) };
    },
  ],
  [
    "a hub that wants a later version",
    "LEAF_MIN_VERSION",
    5_000,
    6_000,
    async (version, scope) => ({ hub: scope.use(await startHub({ version, leafnodes: { min_version: "3.0.0" } })) }),
  ],
  [
    "a hub that forbids us a subject we announce",
    "LEAF_PERMISSION",
    30_000,
    31_000,
    async (version, scope) => {
      const leaf = { ...LEAF, permissions: { subscribe: { allow: ["cmd.>"] } } };
      return { hub: scope.use(await startHub({ version, users: [CLIENT, leaf] })), interest: ["secret.x"] };
    },
  ],
  [
    "a hub whose account has all the leaves it may have",
    "LEAF_AUTH_REJECTED",
    500,
    2_000,
    async (version, scope) => {
      const hub = scope.use(await startHub({ version, account: { limits: { max_leafnodes: 1 } } }));
      const other = scope.use(new Fleet(1, { urls: [hub.leafUrl], ...LOGIN }));
      await other.ready();
      return { hub };
    },
  ],
];

/** The subject by which this hub notices loops (spec §16), as a leaf hears it. */
async function loopSubjectOf(hub: Hub): Promise<string> {
  await using leaf = await RawNatsClient.dial(hub.server.port("leaf"));
  await leaf.info();
  leaf.send(`CONNECT ${JSON.stringify({ version: "2.10.0", name: "ear", user: LEAF.user, pass: LEAF.password })}\r\n`);
  for (;;) {
    const subject = /^LS\+ (\$LDS\.\S+)$/.exec(await leaf.line())?.[1];
    if (subject !== undefined) return subject;
  }
}

for (const version of TESTED_LINES) {
  suite(`nats-server ${version}`, { concurrency: 4 }, () => {
    for (const [name, code, least, most, arrange] of REFUSALS) {
      test(`${name}: ${code}, and away for ${least / 1000} to ${most / 1000} s`, async () => {
        await using scope = new AsyncDisposableStack();
        const { hub, block = {}, interest = [] } = await arrange(version, scope);
        const clock = new FakeClock();
        const remote = remoteFrom({ urls: [hub.leafUrl], ...LOGIN, reconnect: { min: "1s", max: "60s" }, ...block });
        await using spoke = new LinkHarness(remote, { clock });
        spoke.interest.push(...interest);
        spoke.link.start();
        for (let attempt = 1; attempt <= 2; attempt++) {
          await spoke.hears(/^down$/);
          spoke.forget();
          const { state, lastError } = spoke.link.status();
          assert.deepEqual([state, lastError?.code], ["waiting", code], String(lastError?.message));
          const wait = clock.next! - clock.now();
          assert.ok(wait >= least && wait <= most * attempt, `attempt ${attempt} waits ${wait} ms`);
          clock.advance(wait);
        }
      });
    }

    test("a wrong password is tried rarer and rarer, never more often than every 15 s in the end", async () => {
      await using hub = await startHub({ version });
      const clock = new FakeClock();
      const remote = remoteFrom({
        urls: [hub.leafUrl],
        user: LEAF.user,
        password: "wrong",
        reconnect: { min: "1s", max: "60s" },
      });
      await using spoke = new LinkHarness(remote, { clock });
      const start = clock.now();
      const waits: number[] = [];
      spoke.link.start();
      while (clock.now() - start < 300_000) {
        await spoke.hears(/^down$/);
        spoke.forget();
        waits.push(clock.next! - clock.now());
        clock.advance(waits.at(-1)!);
        await turn();
      }
      assert.ok(waits.length <= 25, `${waits.length} attempts in five minutes`);
      assert.ok(
        waits.slice(6).every((wait) => wait >= 15_000 && wait <= 30_000),
        String(waits),
      );
      assert.match(spoke.link.status().lastError!.message, /does not accept these credentials/);
    });

    test("two devices of one name throw each other out, are told why, and do so more and more rarely", async () => {
      await using hub = await startHub({ version });
      const remote = remoteFrom({ urls: [hub.leafUrl], ...LOGIN, reconnect: { min: "1s", max: "60s" } });
      const clocks = [new FakeClock(), new FakeClock()] as const;
      await using elder = new LinkHarness(remote, { clock: clocks[0] });
      await using younger = new LinkHarness(remote, { clock: clocks[1] });
      elder.link.start();
      await elder.hears(/^ready$/);
      const waits: number[] = [];
      for (let turns = 0; turns < 10; turns++) {
        const [comes, goes] = turns % 2 === 0 ? [younger, elder] : [elder, younger];
        if (turns === 0) comes.link.start();
        else clocks[turns % 2 === 0 ? 1 : 0].advance(waits.at(-1)!);
        await comes.hears(/^ready$/);
        await goes.hears(/^down$/);
        comes.forget();
        goes.forget();
        const { code, message } = goes.link.status().lastError!;
        assert.equal(code, "LEAF_DUPLICATE");
        assert.match(message, /another device uses the same server_name/);
        const clock = clocks[turns % 2];
        waits.push(clock!.next! - clock!.now());
      }
      assert.ok(Math.min(...waits.slice(-2)) >= 8_000 && Math.max(...waits) <= 30_000, `waits ${waits}`);
    });
  });
}
