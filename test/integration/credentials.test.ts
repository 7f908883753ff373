// Keys as logins, judged by real hubs: an nkey user, and users of an operator whose JWTs these tests sign. By hand over a bare
// socket, so that what CONNECT carries is all that differs.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as net from "node:net";
import * as path from "node:path";
import { test } from "node:test";
import { systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import type { PetioleError } from "#base/errors.ts";
import { silentLog } from "#base/log.ts";
import { explainRejectedLogin, type LoginFields, readSigner, type Signer } from "#uplink/credentials.ts";
import { rejectionOf } from "#uplink/rejection.ts";
import { LeafParser } from "#wire/leaf-parser.ts";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { TestNkey, TestOperator } from "../support/jwt.ts";
import { LinkHarness, remoteFrom } from "../support/link-harness.ts";
import { NatsServer } from "../support/nats-server.ts";
import { tempFolder } from "../support/temp-folder.ts";

/** Puts `content` into a file, as an owner would, and reads it as the link does before it dials. */
async function signerFrom(content: string, setting: "credentials" | "nkey" = "credentials"): Promise<Signer> {
  await using folder = await tempFolder("petiole-credentials");
  await fs.writeFile(path.join(folder.path, "hub.creds"), content, { mode: 0o600 });
  const remote = { credentials: null, nkey: null, [setting]: "hub.creds" };
  const signer = await readSigner(remote, folder.path, { disk: systemDisk(), clock: systemClock(), log: silentLog() });
  assert.ok(signer !== null);
  return signer;
}

/** The answer of a hub's leaf port to one CONNECT: the account it bound us to, or the text of its -ERR. */
async function answerTo(server: NatsServer, login: (nonce: string) => LoginFields): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = net.connect(server.port("leaf"), "127.0.0.1");
  const ignore = () => undefined;
  const parser = new LeafParser({
    onBatch: ignore,
    onInterest: ignore,
    onInterestGone: ignore,
    onPing: ignore,
    onPong: ignore,
    onError: resolve,
    onInfo(json) {
      const info = JSON.parse(json) as { nonce?: string; connect_info?: boolean; remote_account?: string };
      if (info.connect_info) resolve(`account ${info.remote_account}`);
      else socket.write(`CONNECT ${JSON.stringify({ version: "2.15.1", name: "gw", headers: true, ...login(info.nonce!) })}\r\n`);
    },
  });
  socket.on("data", (chunk) => parser.parse(chunk as Buffer)).on("error", reject);
  socket.on("close", () => reject(new Error("the hub closed without a word")));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

for (const version of TESTED_LINES) {
  test(`hub ${version}: the user of an nkey is let in by the signature, and a stranger's nkey is named`, async () => {
    const [ours, strange] = [new TestNkey("user"), new TestNkey("user")];
    const config = { accounts: { APP: { users: [{ nkey: ours.publicKey }] } }, leafnodes: { compression: "off" } };
    await using server = await NatsServer.start({ version, config });
    const signer = await signerFrom(`${ours.seed}\n`, "nkey");
    assert.equal(await answerTo(server, (nonce) => signer.login(nonce)), "account APP");

    const wrong = await signerFrom(strange.seed, "nkey");
    const text = await answerTo(server, (nonce) => wrong.login(nonce));
    assert.equal(text, "Authorization Violation");
    assert.match(explained(text, wrong).message, new RegExp(`is the key of user ${strange.publicKey}; the hub must have a user`));
    assert.equal(await answerTo(server, () => signer.login("another nonce")), "Authorization Violation");
  });

  test(`hub ${version} under an operator: its accounts' users come in by credentials file, a bearer without a seed`, async () => {
    const operator = new TestOperator();
    const account = operator.account("APP");
    await using server = await NatsServer.start({
      version,
      config: { ...operator.serverConfig([account]), leafnodes: { compression: "off" } },
    });
    const inside = `account ${account.key.publicKey}`;
    const accepted = {
      plain: account.user("gw").creds,
      "for leaves alone": account.user("gw", {}, { allowed_connection_types: ["LEAFNODE"] }).creds,
      bearer: account.user("gw", {}, { bearer_token: true }).creds.split("\n").slice(0, 3).join("\n"),
      "that will expire": account.user("gw", { exp: inSeconds(3600) }).creds,
    };
    for (const [name, creds] of Object.entries(accepted)) {
      const signer = await signerFrom(creds);
      assert.equal(await answerTo(server, (nonce) => signer.login(nonce)), inside, name);
    }
  });

  test(`hub ${version} under an operator refuses with two words, and we say why`, async () => {
    const operator = new TestOperator();
    const account = operator.account("APP");
    const unknown = operator.account("OTHER");
    await using server = await NatsServer.start({
      version,
      config: { ...operator.serverConfig([account]), leafnodes: { compression: "off" } },
    });
    const refused: readonly (readonly [creds: string, words: RegExp])[] = [
      [
        account.user("gw", { exp: inSeconds(-3600) }).creds,
        /holds a JWT that expired on 20\d\d-\d\d-\d\d \d\d:\d\d UTC; get a new one/,
      ],
      [
        account.user("gw", { nbf: inSeconds(3600) }).creds,
        /holds a JWT that is not valid before .*; wait until then, or check this device's clock/,
      ],
      [
        unknown.user("gw-9").creds,
        new RegExp(`is for user gw-9 of account ${unknown.key.publicKey}; the hub must know this account`),
      ],
    ];
    for (const [creds, words] of refused) {
      const signer = await signerFrom(creds);
      const text = await answerTo(server, (nonce) => signer.login(nonce));
      assert.equal(text, "Authorization Violation");
      const error = explained(text, signer);
      assert.equal(error.code, "LEAF_CREDENTIALS");
      assert.match(error.message, words);
    }
  });

  test(`hub ${version} under an operator refuses just what we refuse before dialing`, async () => {
    const operator = new TestOperator();
    const account = operator.account("APP");
    await using server = await NatsServer.start({
      version,
      config: { ...operator.serverConfig([account]), leafnodes: { compression: "off" } },
    });
    const standard = account.user("gw", {}, { allowed_connection_types: ["STANDARD"] });
    const [one, other] = [account.user("one"), account.user("other")];
    const answers = [
      await answerTo(server, (nonce) => ({ jwt: standard.jwt, sig: standard.key.sign(nonce) })),
      await answerTo(server, (nonce) => ({ jwt: one.jwt, sig: other.key.sign(nonce) })),
      await answerTo(server, (nonce) => ({ jwt: account.jwt, sig: account.key.sign(nonce) })),
      await answerTo(server, () => ({ jwt: one.jwt })),
    ];
    assert.deepEqual(answers, Array(4).fill("Authorization Violation"));
    await assert.rejects(signerFrom(standard.creds), /LEAFNODE is not among them/);
    await assert.rejects(signerFrom(one.creds.replace(one.key.seed, other.key.seed)), /must belong together/);
    await assert.rejects(signerFrom(one.creds.replace(one.jwt, account.jwt)), /is an account's; wanted a user's/);
    await assert.rejects(signerFrom(one.creds.split("\n").slice(0, 3).join("\n")), /no seed to sign with/);
  });
}

for (const version of TESTED_LINES) {
  test(`hub ${version} under an operator: a link comes in by credentials file, and a renewed file is taken without a restart`, async () => {
    const operator = new TestOperator();
    const account = operator.account("APP");
    await using server = await NatsServer.start({ version, config: { ...operator.serverConfig([account]), leafnodes: {} } });
    await using folder = await tempFolder("petiole-credentials");
    const file = path.join(folder.path, "hub.creds");
    await fs.writeFile(file, account.user("gw", { exp: inSeconds(-60) }).creds, { mode: 0o644 });
    const remote = remoteFrom({ urls: [server.leafUrl], credentials: file });
    await using spoke = new LinkHarness(remote, { dataDir: folder.path });
    spoke.link.start();
    await spoke.hears(/^down$/);
    const { lastError } = spoke.link.status();
    assert.equal(lastError?.code, "LEAF_CREDENTIALS");
    assert.match(lastError.message, /Authorization Violation.*hub\.creds holds a JWT that expired on/);
    assert.equal((await fs.stat(file)).mode & 0o777, 0o600);
    await fs.writeFile(file, account.user("gw", { exp: inSeconds(3600) }).creds);
    await spoke.hears(/^ready$/);
    assert.equal(spoke.link.status().hub?.account, account.key.publicKey);
  });
}

function explained(text: string, signer: Signer): PetioleError {
  return explainRejectedLogin(rejectionOf("hub", text).error, text, signer, Date.now());
}

function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}
