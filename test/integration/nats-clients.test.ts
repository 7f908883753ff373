// Clients in other languages than ours, as Debian packages them: nats.go and the C client. Each program says what it saw, first at a
// nats-server, then at a spoke in front of one: a difference is a finding. (nats.py and the nats command line are not in Debian.)

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { type Hub, LEAF, startHub } from "../support/hub.ts";
import { NatsServer } from "../support/nats-server.ts";
import { startSpoke } from "../support/spoke.ts";
import { type TempFolder, tempFolder } from "../support/temp-folder.ts";

const run = promisify(execFile);
const SOURCES = path.resolve(import.meta.dirname, "../support/foreign");
const LOGIN = { user: "tool", password: "tool-password", permissions: { publish: { deny: ["forbidden.>"] } } };

let folder: TempFolder;
before(async () => {
  folder = await tempFolder("petiole-foreign");
});
after(() => folder[Symbol.asyncDispose]());

interface Language {
  build(program: string): Promise<unknown>;
}

const LANGUAGES: Readonly<Record<string, Language>> = {
  "nats.go": {
    build: (program) => {
      const env = {
        ...process.env,
        GO111MODULE: "off",
        GOPATH: "/usr/share/gocode",
        GOFLAGS: "",
        GOCACHE: path.join(folder.path, "cache"),
      };
      return run("go", ["build", "-o", program, path.join(SOURCES, "client.go")], { env, cwd: folder.path });
    },
  },
  "the C client": {
    build: (program) => run("cc", ["-o", program, path.join(SOURCES, "client.c"), "-lnats"], { cwd: folder.path }),
  },
};

/** What the program says at this port. */
async function said(program: string, port: number): Promise<string[]> {
  const at = (login: string) => `nats://${login}@127.0.0.1:${port}`;
  const { stdout } = await run(program, [at(`${LOGIN.user}:${LOGIN.password}`), at(`${LOGIN.user}:wrong`)], {
    timeout: 60_000,
  }).catch((error: { readonly stdout?: string; readonly stderr?: string; readonly message: string }) => {
    throw new Error(`${error.message}\n${error.stdout}${error.stderr}`);
  });
  return stdout.trimEnd().split("\n");
}

async function behind(hub: Hub) {
  const spoke = await startSpoke({
    remote: { urls: [hub.leafUrlAs(LEAF)] },
    settings: { listen: "127.0.0.1:0", accounts: [{ name: "EDGE", users: [{ ...LOGIN, nats: true, mqtt: false }] }] },
  });
  await spoke.untilReady();
  return spoke;
}

for (const [name, { build }] of Object.entries(LANGUAGES)) {
  test(`${name} sees at a spoke what it sees at a nats-server, JetStream of the hub included`, async (t) => {
    const program = path.join(folder.path, name.replaceAll(" ", "-"));
    await build(program);
    await using server = await NatsServer.start({
      version: "2.15",
      config: { jetstream: {}, accounts: { EDGE: { users: [LOGIN], jetstream: "enabled" } } },
    });
    const wanted = await said(program, server.port("client"));
    t.diagnostic(wanted.join(" | "));
    assert.ok(wanted.length >= 8 && wanted.every((line) => !line.startsWith("failed")), wanted.join("\n"));
    for (const version of ["2.10", "2.15"] as const) {
      await using hub = await startHub({ version, jetstream: true });
      await using spoke = await behind(hub);
      assert.deepEqual(await said(program, spoke.spoke.natsEndpoint!.port), wanted, `in front of ${version}`);
    }
  });
}
