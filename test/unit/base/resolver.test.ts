// Asks a DNS server of its own on loopback, and no other.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import { PetioleError } from "#base/errors.ts";
import {
  DNS_FAILED,
  DNS_NO_ANSWER,
  DNS_NO_SERVER,
  type Resolver,
  type SystemResolverOptions,
  systemResolver,
} from "#base/resolver.ts";
import { FakeDns } from "../../support/fake-dns.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const NEVER = new AbortController().signal;
const noNative = () => Promise.reject(Object.assign(new Error("not here"), { code: "ENOTFOUND" }));

interface World extends AsyncDisposable {
  readonly dns: FakeDns;
  readonly resolver: Resolver;
  readonly folder: string;
  /** Puts a file into the device's /etc. */
  writes(name: "hosts" | "resolv.conf", text: string): Promise<void>;
  /** The addresses, or the fault's code and words. */
  asks(host: string): Promise<string>;
}

async function world(options: Partial<SystemResolverOptions> = {}): Promise<World> {
  await using scope = new AsyncDisposableStack();
  const dns = scope.use(await FakeDns.listen("127.0.0.1"));
  const folder = scope.use(await tempFolder("petiole-dns")).path;
  const resolver = systemResolver({
    clock: systemClock(),
    disk: systemDisk(),
    hostsPath: path.join(folder, "hosts"),
    resolvConfPath: path.join(folder, "resolv.conf"),
    dnsPort: dns.port,
    patience: 250, // c-ares takes no less
    lookup: noNative,
    ...options,
  });
  const writes = (name: string, text: string) => fs.writeFile(path.join(folder, name), text);
  await writes("resolv.conf", "nameserver 127.0.0.1\n");
  const owned = scope.move();
  return {
    dns,
    resolver,
    folder,
    writes,
    asks: async (host) => {
      try {
        return (await resolver.resolve(host, NEVER)).map(({ address }) => address).join(" ");
      } catch (error) {
        assert.ok(error instanceof PetioleError, String(error));
        return `${error.code}: ${error.message}`;
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

test("addresses and localhost are answered without asking anybody", async () => {
  await using here = await world();
  assert.equal(await here.asks("192.0.2.7"), "192.0.2.7");
  assert.equal(await here.asks("2001:db8::7"), "2001:db8::7");
  assert.equal(await here.asks("localhost"), "127.0.0.1 ::1");
  assert.equal(await here.asks("Hub.LOCALHOST."), "127.0.0.1 ::1");
  assert.deepEqual(here.dns.asked, []);
});

test("/etc/hosts comes before DNS, and a change of it counts at once", async () => {
  await using here = await world();
  here.dns.says("hub.example.com", "A", "192.0.2.1");
  assert.equal(await here.asks("hub.example.com"), "192.0.2.1");
  await here.writes("hosts", "# ours\n10.1.1.1\thub.example.com hub # lab\nfd00::1 HUB\n");
  assert.equal(await here.asks("hub.example.com"), "10.1.1.1");
  assert.equal(await here.asks("hub"), "10.1.1.1 fd00::1");
});

test("A and AAAA are asked side by side, and both answers come back with their time to live", async () => {
  await using here = await world();
  here.dns.says("hub.example.com", "A", ["192.0.2.1", "192.0.2.2"]);
  here.dns.says("hub.example.com", "AAAA", "2001:db8::1");
  const answer = await here.resolver.resolve("hub.example.com", NEVER);
  assert.deepEqual(
    answer.toSorted((a, b) => a.address.localeCompare(b.address)),
    [
      { address: "192.0.2.1", family: 4, ttl: 60 },
      { address: "192.0.2.2", family: 4, ttl: 60 },
      { address: "2001:db8::1", family: 6, ttl: 60 },
    ],
  );
});

test("a family that fails delays nobody; one that is silent no longer than half a second", async () => {
  await using here = await world({ patience: 60_000 });
  here.dns.says("hub.example.com", "A", "192.0.2.1");
  for (const broken of ["no-data", "no-name", "failure", "silence"] as const) {
    here.dns.says("hub.example.com", "AAAA", broken);
    assert.equal(await here.asks("hub.example.com"), "192.0.2.1", broken);
  }
});

test("the search domains of resolv.conf are tried as resolv.conf(5) says", async () => {
  await using here = await world();
  await here.writes("resolv.conf", "search plant.example example.com\noptions timeout:1 ndots:2\nnameserver 127.0.0.1\n");
  here.dns.says("hub.example.com", "A", "192.0.2.1");
  assert.equal(await here.asks("hub"), "192.0.2.1");
  assert.deepEqual(
    here.dns.asked.filter((question) => question.startsWith("A ")),
    ["A hub.plant.example", "A hub.example.com"],
  );
  here.dns.asked.length = 0;
  assert.match(await here.asks("a.b.c"), /^DNS_NO_NAME/);
  assert.deepEqual(
    here.dns.asked.filter((question) => question.startsWith("A ")),
    ["A a.b.c", "A a.b.c.plant.example", "A a.b.c.example.com"],
  );
  here.dns.asked.length = 0;
  assert.match(await here.asks("hub."), /^DNS_NO_NAME/);
  assert.deepEqual(here.dns.asked.toSorted(), ["A hub", "AAAA hub"]);
});

test("a name that does not exist, and one without addresses, are told apart", async () => {
  await using here = await world();
  assert.match(
    await here.asks("hubb.example.com"),
    /^DNS_NO_NAME: DNS knows no such name: hubb\.example\.com \(asked 127\.0\.0\.1:/,
  );
  here.dns.says("mail.example.com", "A", "no-data");
  here.dns.says("mail.example.com", "AAAA", "no-data");
  assert.match(await here.asks("mail.example.com"), /^DNS_NO_NAME: DNS knows the name but has no address for it: mail/);
  assert.match(await here.asks("not a name"), /^DNS_NO_NAME/);
  assert.match(await here.asks(`${"a".repeat(70)}.example.com`), /^DNS_NO_NAME/);
});

test("a server that is silent, one that fails, and none at all: each has its words", async () => {
  await using here = await world();
  for (const type of ["A", "AAAA"] as const) {
    here.dns.says("silent.example.com", type, "silence");
    here.dns.says("broken.example.com", type, "failure");
    here.dns.says("secret.example.com", type, "refused");
  }
  assert.match(
    await here.asks("silent.example.com"),
    new RegExp(
      `^${DNS_NO_ANSWER}: DNS server 127.0.0.1:\\d+, asked for silent.example.com, does not answer \\(waited \\d\\.\\d s\\)`,
    ),
  );
  assert.match(await here.asks("broken.example.com"), new RegExp(`^${DNS_FAILED}: .*could not look up broken.*: SERVFAIL$`));
  assert.match(await here.asks("secret.example.com"), new RegExp(`^${DNS_FAILED}: .*: REFUSED$`));
  await here.writes("resolv.conf", "# the network is not up yet\n");
  assert.match(
    await here.asks("hub.example.com"),
    new RegExp(`^${DNS_NO_SERVER}: no DNS server is configured, so hub.example.com has`),
  );
  await fs.rm(path.join(here.folder, "resolv.conf"));
  assert.match(await here.asks("hub.example.com"), new RegExp(`^${DNS_NO_SERVER}: `));
});

test("a server that is not there is named as such, at once", async () => {
  await using here = await world({ patience: 60_000 });
  await here.writes("resolv.conf", "nameserver 127.0.0.9\n");
  assert.match(
    await here.asks("hub.example.com"),
    /^DNS_NO_ANSWER: DNS server 127\.0\.0\.9:\d+, asked for hub\.example\.com, cannot be reached/,
  );
});

test("a server that DHCP names while we run is asked from the next lookup on", async () => {
  await using here = await world();
  await using other = await FakeDns.listen("127.0.0.2", here.dns.port);
  here.dns.says("hub.example.com", "A", "192.0.2.1");
  other.says("hub.example.com", "A", "192.0.2.2");
  assert.equal(await here.asks("hub.example.com"), "192.0.2.1");
  await here.writes("resolv.conf", "nameserver 127.0.0.2\n");
  assert.equal(await here.asks("hub.example.com"), "192.0.2.2");
});

test("what a filtering server answers instead of an address is not dialed", async () => {
  await using here = await world();
  here.dns.says("ads.example.com", "A", "0.0.0.0");
  here.dns.says("ads.example.com", "AAAA", "::");
  assert.match(
    await here.asks("ads.example.com"),
    /^DNS_NO_NAME: DNS answers .*0\.0\.0\.0.* for ads\.example\.com: the name is blocked/,
  );
});

test("a server that answers with a crowd is cut down to eight of a kind", async () => {
  await using here = await world();
  here.dns.says(
    "hub.example.com",
    "A",
    Array.from({ length: 25 }, (_, i) => `192.0.2.${i + 1}`),
  );
  assert.equal((await here.asks("hub.example.com")).split(" ").length, 8);
});

test("a lookup that is given up ends at once, with the reason", async () => {
  await using here = await world({ patience: 60_000 });
  here.dns.says("hub.example.com", "A", "silence");
  here.dns.says("hub.example.com", "AAAA", "silence");
  const scope = new AbortController();
  const asked = here.resolver.resolve("hub.example.com", scope.signal);
  await here.dns.hears("A hub.example.com");
  scope.abort(new Error("enough"));
  await assert.rejects(asked, /enough/);
  await assert.rejects(here.resolver.resolve("hub.example.com", scope.signal), /enough/);
});

test("a lookup that is over leaves nothing behind that keeps a process alive", async () => {
  await using here = await world();
  here.dns.says("hub.example.com", "A", "192.0.2.1");
  here.dns.says("hub.example.com", "AAAA", "silence");
  const script = `
    import { systemResolver } from "#base/resolver.ts";
    import { systemClock } from "#base/clock.ts";
    import { systemDisk } from "#base/disk.ts";
    const [,, folder, port] = process.argv;
    const alive = setInterval(() => {}, 1000); // as the daemon's listeners do
    const resolver = systemResolver({ clock: systemClock(), disk: systemDisk(), hostsPath: folder + "/hosts",
      resolvConfPath: folder + "/resolv.conf", dnsPort: Number(port), patience: 60_000 });
    console.log(JSON.stringify(await resolver.resolve("hub.example.com", new AbortController().signal)));
    clearInterval(alive);
    setTimeout(() => console.log("still alive"), 5000).unref();`;
  const child = spawn(
    process.execPath,
    ["--input-type=module-typescript", "-e", script, "x", here.folder, String(here.dns.port)],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise((resolve) => child.on("exit", resolve));
  assert.deepEqual([code, output.trim()], [0, '[{"address":"192.0.2.1","family":4,"ttl":60}]']);
});

test("a name in .local is asked of DNS and of the C library, and whoever knows it answers", async () => {
  const native: string[] = [];
  await using here = await world({
    lookup: async (host) => {
      native.push(host);
      if (host !== "hub.local") return noNative();
      return [{ address: "10.0.0.9", family: 4 }];
    },
  });
  assert.equal(await here.asks("hub.local"), "10.0.0.9");
  here.dns.says("dc.office.local", "A", "10.0.0.10");
  assert.equal(await here.asks("dc.office.local"), "10.0.0.10");
  assert.match(
    await here.asks("nobody.local"),
    /^DNS_NO_NAME: neither DNS nor mDNS has an address for nobody\.local; mDNS names need/,
  );
  assert.deepEqual(native, ["hub.local", "dc.office.local", "nobody.local"]);
});

test("one lookup by the C library at a time: one that hangs takes no second thread", async () => {
  const native: string[] = [];
  const { promise: hanging, resolve } = Promise.withResolvers<never[]>();
  await using here = await world({
    lookup: (host) => {
      native.push(host);
      return hanging;
    },
  });
  here.dns.says("a.local", "A", "10.0.0.1");
  here.dns.says("b.local", "A", "10.0.0.2");
  assert.equal(await here.asks("a.local"), "10.0.0.1");
  assert.equal(await here.asks("b.local"), "10.0.0.2");
  assert.deepEqual(native, ["a.local"]);
  resolve([]);
});
