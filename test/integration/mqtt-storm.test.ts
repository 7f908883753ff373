// A thousand devices that come back in the same instant, by TCP and by TLS, with passwords and kept sessions: all are let in, and whoever is
// there already notices nothing. And what a stranger costs before it says who it is.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import * as path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import * as v8 from "node:v8";
import * as vm from "node:vm";
import { certificates } from "../support/certificates.ts";
import { freePorts } from "../support/free-ports.ts";
import { SpawnedProcess } from "../support/processes.ts";
import { DEVICE, startSpoke } from "../support/spoke.ts";
import { connect } from "../wire/mqtt/harness.ts";

const DEVICES = 1000;
const STORM = path.resolve(import.meta.dirname, "../support/mqtt-storm.ts");
const STRANGERS = path.resolve(import.meta.dirname, "../support/mqtt-strangers.ts");
const run = promisify(execFile);

interface Storm {
  readonly ms: number;
  readonly dials: number;
  readonly slowestMs: number;
}

async function storm(port: number, way: "tcp" | "tls"): Promise<Storm> {
  const packet = connect({ clientId: "device-0000", isClean: false, user: DEVICE.user, password: DEVICE.password });
  const args = [STORM, String(port), String(DEVICES), way, packet.toString("hex")];
  const { stdout } = await run(process.execPath, args, { timeout: 60_000 });
  return JSON.parse(stdout) as Storm;
}

for (const way of ["tcp", "tls"] as const) {
  test(`a thousand devices come at once by ${way}: each is let in at its first attempt, and one that is there is served meanwhile`, async (t) => {
    await using made = await certificates();
    const { cert: cert_file, key: key_file } = made.server;
    const [tls] = await freePorts(1);
    const mqtt = { listen: "127.0.0.1:0", tls: { listen: `127.0.0.1:${tls}`, cert_file, key_file }, max_clients: 2000 };
    await using spoke = await startSpoke({ settings: { mqtt } });
    const port = way === "tls" ? tls! : spoke.spoke.mqttEndpoint!.port;
    await using here = await spoke.device({ clientId: "here" });
    let slowest = 0;
    let isOver = false;
    const served = (async () => {
      while (!isOver) {
        const sentAt = Date.now();
        await here.publishAsync("still/there", "x", { qos: 1 });
        slowest = Math.max(slowest, Date.now() - sentAt);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    const found = await storm(port, way);
    isOver = true;
    await served;
    t.diagnostic(`${DEVICES} in ${found.ms} ms, ${found.dials} dials, PUBACK within ${slowest} ms`);
    assert.equal(found.dials, DEVICES);
    assert.ok(slowest < 5_000, `a PUBACK took ${slowest} ms`);
  });
}

test("a stranger that says half a CONNECT, or nearly 10 KiB of one in small pieces, holds at most 16 KiB of memory", async (t) => {
  v8.setFlagsFromString("--expose-gc");
  const collect = vm.runInNewContext("gc") as () => void;
  /** Bytes held, by V8 and outside of it. */
  const held = () => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  for (const [bytes, kibibytesMax] of [
    [3, 6],
    [9_990, 16],
  ] as const) {
    await using spoke = await startSpoke({ settings: { mqtt: { listen: "127.0.0.1:0", max_clients: 2000 } } });
    const { port } = spoke.spoke.mqttEndpoint!;
    const here = () => spoke.spoke.report().mqtt!.connections;
    const before = held();
    await using strangers = await SpawnedProcess.start(process.execPath, [
      STRANGERS,
      String(port),
      String(DEVICES),
      String(bytes),
    ]);
    await strangers.says(/said/);
    await spoke.until("all of it was read", () => here() >= DEVICES);
    let each = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 10 && each > kibibytesMax; i++) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      each = (held() - before) / 1024 / DEVICES;
    }
    t.diagnostic(`${bytes} bytes: ${each.toFixed(1)} KiB each`);
    assert.ok(each <= kibibytesMax, `${each} KiB each`);
  }
});
