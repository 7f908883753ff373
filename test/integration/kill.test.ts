// kill -9 under load, a hundred times: what was acknowledged is at the hub afterwards, each message once.

import assert from "node:assert/strict";
import * as path from "node:path";
import { suite, test } from "node:test";
import type { MqttClient } from "mqtt";
import { build } from "../../scripts/build.ts";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { freePorts } from "../support/free-ports.ts";
import { LEAF, startHub } from "../support/hub.ts";
import { LinkCutter } from "../support/link-cutter.ts";
import { Daemon, mqttDevice } from "../support/spoke.ts";
import { HubStream } from "../support/stream.ts";
import { tempFolder } from "../support/temp-folder.ts";

/** At all versions taken together. */
const KILLS = 100;
const PUBLISHERS = 3;
const INFLIGHT = 10;
/** A life ends after so many acknowledgements and a few more each time, so that none ends where the one before did. */
const LIFE_ACKS = 40;
const SPREAD = 37;

const each = Math.ceil(KILLS / TESTED_LINES.length);

// Side by side: most of a life is waiting for a process to start.
suite(`${KILLS} times kill -9 under QoS 1 load`, { concurrency: true }, () => {
  for (const version of TESTED_LINES) {
    test(`hub ${version}: ${each} times, with the link up, cut and healing: nothing acknowledged is lost`, async (t) => {
      await using hub = await startHub({ version, tls: "first", jetstream: true });
      const nats = await hub.connect();
      const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"]);
      await using cutter = await LinkCutter.before(hub.server.port("leaf"));
      await using folder = await tempFolder("petiole-kill");
      const program = path.join(folder.path, "program");
      await build({ outFolder: program }); // a bundle lives four times in the time the sources take to start once
      const [mqttPort] = await freePorts(1);
      await using daemon = await Daemon.start({
        dataDir: folder.path,
        mqttPort: mqttPort!,
        program: path.join(program, "petiole.js"),
        remote: {
          urls: [cutter.through(hub.leafUrl)],
          user: LEAF.user,
          password: LEAF.password,
          tls: { handshake_first: true, ca_file: hub.ca! },
        },
      });
      await daemon.until("the link is ready", ({ remotes }) => remotes[0]!.link.state === "ready");

      const load = new Load();
      let livesWithLink = 0;
      let livesWithBacklog = 0;
      for (let life = 0; life < each; life++) {
        // up: the link comes while the load runs · cut: it goes · down: there is none · healing: it comes back over a backlog
        const part = life % 4;
        const devices = await Promise.all(
          Array.from({ length: PUBLISHERS }, (_, i) => mqttDevice(mqttPort!, { clientId: `d${i}` })),
        );
        const running = devices.map((device) => load.run(device));
        if (part === 1) cutter.cut();
        await load.reaches(LIFE_ACKS + ((life * SPREAD) % 101));
        if (part === 3) cutter.heal();
        if (part === 0) await daemon.until("the link is ready", ({ remotes }) => remotes[0]!.link.state === "ready");
        if (part === 3) await daemon.until("the backlog drains", ({ remotes }) => remotes[0]!.link.state === "ready");
        await load.reaches(LIFE_ACKS + ((life * SPREAD) % 89));
        const { remotes } = await daemon.until("it answers", () => true);
        if (remotes[0]!.link.state === "ready") livesWithLink += 1;
        if (remotes[0]!.outbox.flash_bytes > 0) livesWithBacklog += 1;
        await daemon.kill();
        await Promise.all(running);
        for (const device of devices) await device.endAsync(true);
        await daemon.restart();
      }
      cutter.heal();
      await daemon.until(
        "the backlog is gone",
        ({ remotes }) => remotes[0]!.link.state === "ready" && remotes[0]!.outbox.depth === 0,
      );
      await stream.holds(load.acked.length);
      const payloads = await stream.payloads();
      const held = new Set(payloads);
      assert.deepEqual(
        load.acked.filter((payload) => !held.has(payload)),
        [],
        "acknowledged and not at the hub",
      );
      assert.equal(held.size, payloads.length, "the stream dropped every double");
      assert.ok(livesWithLink > 0 && livesWithBacklog > 0, "some died with a link, some with a backlog");
      assert.equal(await daemon.stop(), 0, "SIGTERM ends it in peace");
      t.diagnostic(
        `${each} lives (${livesWithLink} with the link up, ${livesWithBacklog} with a backlog on flash): ${load.acked.length} acknowledged, 0 lost, 0 doubled`,
      );
      await nats.close();
    });
  }
});

/** Publishes under names of its own until the connection dies, and knows which were acknowledged. */
class Load {
  readonly acked: string[] = [];
  #next = 0;
  #wanted = 0;
  #reached: () => void = () => undefined;

  /** Resolves when the connection is dead. */
  async run(device: MqttClient): Promise<void> {
    const dead = new Promise<void>((resolve) => device.once("close", resolve));
    let isDead = false;
    void dead.then(() => {
      isDead = true;
    });
    const lane = async () => {
      while (!isDead) {
        const payload = `m${this.#next++}`;
        const answer = device.publishAsync("sensors/load", payload, { qos: 1 }).then(
          () => true,
          () => false,
        );
        if (!(await Promise.race([answer, dead.then(() => false)]))) continue;
        this.acked.push(payload);
        if (this.acked.length >= this.#wanted) this.#reached();
      }
    };
    await Promise.all(Array.from({ length: INFLIGHT }, lane));
  }

  /** Resolves after so many more acknowledgements; rejects when they stop coming. */
  async reaches(more: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#wanted = this.acked.length + more;
    this.#reached = resolve;
    const timer = setTimeout(
      () => reject(new Error(`the load does not get on: ${this.acked.length} of ${this.#wanted}`)),
      20_000,
    );
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
  }
}
