// The image on a whole arm64 machine under Debian's kernel (support/guest.ts): what neither a container on another kernel nor an emulated
// program can show. USB adapters that come and go, nft and its kernel on arm64, a power cut, a clock that is years behind.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { ARCHITECTURES } from "../../scripts/lib/image/architecture.ts";
import { guestKernel } from "../../scripts/lib/image/guest-kernel.ts";
import { certificates } from "../support/certificates.ts";
import { cannotMakeNamespaces, NetNamespaces } from "../support/net-namespaces.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { builtImage } from "./support/built-image.ts";
import { Guest, giveNetwork, makeDisk } from "./support/guest.ts";
import { boxSettings, Stranger } from "./support/stranger.ts";

const isThereQemu = spawnSync("qemu-system-aarch64", ["--version"]).status === 0;
const skip = cannotMakeNamespaces ?? (isThereQemu ? false : "no qemu-system-aarch64 on this machine");

const PATIENCE_MS = 60_000;
const ANSWER_MS = 10_000;
/** How long nothing must come for it to count as silence. */
const SILENCE_MS = 1_000;
/** NET_ADMIN is right 12, NET_BIND_SERVICE right 10. */
const TWO_RIGHTS = ((1n << 12n) | (1n << 10n)).toString(16).padStart(16, "0");
const ROOT_DISK_BYTES = "224M";

const BENCH = {
  name: "bench",
  match: { vendor_id: "0403", product_id: "6001" },
  baud_rate: 250_000,
  framing: { type: "line" },
  decode: { type: "text" },
  subject: "sensors.bench",
  write_subject: "cmd.bench",
};

test("on a machine of its own", { skip }, async (t) => {
  const { root } = await builtImage(ARCHITECTURES.arm64);
  const kernel = await guestKernel(root, (line) => process.stderr.write(`${line}\n`));
  await using folder = await tempFolder("petiole-boot");
  await using certs = await certificates();
  const disks = { rootDisk: path.join(folder.path, "root.ext4"), dataDisk: path.join(folder.path, "data.ext4") };
  await makeDisk(disks.rootDisk, root, ROOT_DISK_BYTES);
  await makeDisk(disks.dataDisk, await firstData(folder.path, certs.ca));
  await using net = await NetNamespaces.make();
  await giveNetwork(net);
  await using stranger = await Stranger.come(net, certs.server);

  {
    await using guest = await Guest.boot({ ...disks, kernel, net });
    await stranger.hearsLeaf();

    await t.test(
      "an adapter that is plugged in is read, written to, missed when it is pulled out, and known when it is back",
      async () => {
        const first = await guest.plug();
        await guest.console.says(/port bench is open/, PATIENCE_MS);
        first.sensor.write("perhaps half a line\n21.5\n");
        await stranger.hears("sensors.bench", "21.5");
        await stranger.hubPublish("cmd.bench", "calibrate");
        await first.sensor.hears("calibrate");
        await first.unplug();
        await guest.console.says(/port bench: \/dev\/ttyUSB\d went away/, PATIENCE_MS);
        const again = await guest.plug();
        await guest.console.says(/went away[\s\S]*port bench is open/, PATIENCE_MS);
        again.sensor.write("perhaps half a line\n22.5\n");
        await stranger.hears("sensors.bench", "22.5");
      },
    );

    await t.test("the daemon has two rights, and only its doors are open to the network", async () => {
      const status = await guest.run("cat /proc/$(pidof node)/status");
      for (const set of ["CapPrm", "CapEff", "CapBnd"]) assert.match(status, new RegExp(`^${set}:\\s+${TWO_RIGHTS}$`, "m"));
      assert.match(status, /^NoNewPrivs:\s+1$/m);
      await guest.console.says(/packet filter is in force/, PATIENCE_MS); // nft takes its time on an emulated processor
      assert.equal(await net.probe("10.77.0.1", 1883, ANSWER_MS), "open");
      assert.equal(await net.probe("10.77.0.1", 8222, SILENCE_MS), "silence");
      const ruleset = await guest.run("chroot /root /usr/sbin/nft list table inet petiole");
      assert.match(ruleset, /door mqtt/);
      assert.match(ruleset, /flood mqtt/, "this kernel has what limits ask for");
    });

    await t.test("a power cut after an acknowledgement", async () => {
      await stranger.mqttConnect();
      await stranger.mqttPublish("sensors/7/t", "first");
      await stranger.hears("sensors.7.t", "first");
      await stranger.stopHub();
      await stranger.mqttPublish("sensors/7/t", "kept");
      await guest.cutPower();
    });
  }

  await t.test(
    "with a clock of years ago it keeps what comes, links once the time is right, and delivers all of it, rightly dated",
    async () => {
      await stranger.startHub();
      await using guest = await Guest.boot({ ...disks, kernel, net, rtc: "2015-01-01T00:00:00" });
      await guest.console.says(/guest: booted, 2015-01-01/);
      await guest.console.says(/certificate is not yet valid|CERT_NOT_YET_VALID/, PATIENCE_MS);
      const { sensor } = await guest.plug();
      await guest.console.says(/port bench is open/, PATIENCE_MS);
      sensor.write("perhaps half a line\n23.5\n");
      await guest.run(`date -u -s @${Math.floor(Date.now() / 1000)}`);
      await stranger.hears("sensors.7.t", "kept");
      await stranger.hears("sensors.bench", "23.5");
      for (const [subject, word] of [
        ["sensors.7.t", "kept"],
        ["sensors.bench", "23.5"],
      ] as const) {
        const age = Date.now() - Date.parse(await stranger.measured(subject, word));
        assert.ok(age > -5_000 && age < 300_000, `${subject} is dated ${age} ms ago`);
      }
      await guest.run("kill -TERM $(pidof tini)");
      await guest.console.says(/guest: the daemon ended with 0/, PATIENCE_MS);
    },
  );
});

/** What lies in /data before the first boot. */
async function firstData(scratch: string, authority: string): Promise<string> {
  const folder = path.join(scratch, "data");
  await fs.mkdir(path.join(folder, "secrets"), { recursive: true, mode: 0o700 });
  await fs.copyFile(authority, path.join(folder, "secrets/ca.pem"));
  const plain = JSON.parse(boxSettings()) as { readonly leafnodes: { readonly remotes: readonly Record<string, unknown>[] } };
  const remote = {
    ...plain.leafnodes.remotes[0],
    urls: ["tls://10.77.0.2:7422"],
    tls: { ca_file: "secrets/ca.pem", server_name: "localhost", handshake_first: false },
  };
  const more = {
    leafnodes: { remotes: [remote] },
    serial: [BENCH],
    monitor: { listen: "0.0.0.0:8222" },
    firewall: { enabled: true, lan_interfaces: ["eth0"] },
  };
  await fs.writeFile(path.join(folder, "settings.json"), boxSettings(more));
  return folder;
}
