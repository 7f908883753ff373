// The packet filter of a starting spoke: its doors open behind it, and whatever becomes of it, they do open.

import assert from "node:assert/strict";
import * as net from "node:net";
import { test } from "node:test";
import type { Exec, ExecResult } from "#base/exec.ts";
import { freePorts } from "../support/free-ports.ts";
import { mqttDevice, startSpoke } from "../support/spoke.ts";

const REFUSED: ExecResult = { status: 1, stdout: "", stderr: "Error: Operation not permitted", killed: null };

/** An nft that says when it is asked for the first time, and answers when it is told to. */
class SlowNft implements Exec {
  readonly #asked = Promise.withResolvers<void>();
  readonly #answer = Promise.withResolvers<ExecResult>();

  get asked(): Promise<void> {
    return this.#asked.promise;
  }

  answer(result: ExecResult): void {
    this.#answer.resolve(result);
  }

  run(_request: unknown, signal: AbortSignal): Promise<ExecResult> {
    this.#asked.resolve();
    const ended = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    return Promise.race([this.#answer.promise, ended]);
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.on("error", () => resolve(false));
    socket.on("connect", () => resolve(socket.destroy().destroyed));
  });
}

test("no door opens before the packet filter's first try is over, and a filter that fails closes none", async () => {
  const nft = new SlowNft();
  const [mqttPort = 0] = await freePorts(1);
  const starting = startSpoke({ mqttPort, machine: { exec: nft }, settings: { firewall: { enabled: true } } });
  await nft.asked;
  // Not even when all else has long been ready: many turns of the event loop, in which the disk's and the socket's calls come back.
  for (let turn = 0; turn < 50; turn++) assert.equal(await isOpen(mqttPort), false);
  nft.answer(REFUSED);
  await using site = await starting;
  assert.match(site.spoke.report().packet_filter?.because ?? "", /NET_ADMIN/);
  await using device = await mqttDevice(mqttPort);
  assert.equal(device.connected, true);
});

test("an nft that never answers keeps the doors shut for 5 s and no longer", async () => {
  const nft = new SlowNft();
  const began = performance.now();
  await using site = await startSpoke({ machine: { exec: nft }, settings: { firewall: { enabled: true } } });
  assert.ok(performance.now() - began >= 5_000);
  await using device = await site.device();
  assert.equal(device.connected, true);
});
