// The hub: an ordinary nats-server on loopback with a TLS-first leaf port and a stream that keeps every reading. The demo watches
// it from its own side, as any application would: who listens there, and what the stream holds.

import { randomBytes } from "node:crypto";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { connect, createInbox, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { runCommand } from "../command.ts";
import { startChild, unlessAborted, watchChild } from "./child.ts";

const STREAM = "SENSORS";
export const STREAM_SUBJECTS = "sensors.>";
/** Longer than any cut of the demo: what the spoke sends again after a cut is recognised by its Nats-Msg-Id and dropped. */
const DUPLICATE_WINDOW_MS = 600_000;
/** The stream forgets its oldest beyond this; the demo has read them long before. */
const STREAM_BYTES_MAX = 256 * 1024 * 1024;
const NS_PER_MS = 1_000_000;

export interface HubWatcher {
  /** A message has reached the hub: its subscribers have it. */
  onArrival(subject: string, payload: Uint8Array): void;
  /** The stream holds it. */
  onStored(subject: string, payload: Uint8Array): void;
}

export interface Hub extends AsyncDisposable {
  readonly version: string;
  readonly leafPort: number;
  readonly clientUrl: string;
  readonly caFile: string;
  readonly leafUser: string;
  readonly leafPassword: string;
  /** Whether `onStored` has been told of all that the stream ever took. */
  isReadToTheEnd(): Promise<boolean>;
}

export async function startHub(
  binary: string,
  folder: string,
  watcher: HubWatcher,
  signal: AbortSignal,
  onFault: (why: Error) => void,
): Promise<Hub> {
  await using scope = new AsyncDisposableStack();
  const files = await makeCertificates(folder);
  const users = { leaf: password(), app: password() };
  const configFile = path.join(folder, "hub.json");
  await fs.writeFile(configFile, JSON.stringify(describeHub(folder, files, users), undefined, 2), { mode: 0o600 });
  const server = scope.use(await startChild(binary, ["--config", configFile]));
  await unlessAborted(server.says(/Server is ready/), signal);
  const port = (of: string) => Number(new RegExp(`Listening for ${of} connections on \\S+:(\\d+)`).exec(server.output)?.[1]);
  watchChild(server, "the hub", signal, onFault);
  const clientUrl = `nats://127.0.0.1:${port("client")}`;
  const connection = await connect({ servers: clientUrl, user: "app", pass: users.app, reconnect: false });
  scope.defer(() => connection.close().catch(() => undefined)); // closed already is closed
  const reader = await openStream(connection, watcher, onFault);
  const owned = scope.move();
  return {
    version: connection.info?.version ?? "unknown",
    leafPort: port("leafnode"),
    clientUrl,
    caFile: files.ca,
    leafUser: "leaf",
    leafPassword: users.leaf,
    isReadToTheEnd: async () => {
      await connection.flush();
      return reader.lastSeq >= (await lastSeqOf(connection));
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function describeHub(folder: string, files: Certificates, users: { readonly leaf: string; readonly app: string }): object {
  const host = "127.0.0.1";
  const tls = { cert_file: files.cert, key_file: files.key, handshake_first: true };
  return {
    server_name: "demo-hub",
    host,
    port: -1,
    jetstream: { store_dir: path.join(folder, "jetstream") },
    accounts: {
      PLANT: {
        jetstream: "enabled",
        users: [
          { user: "leaf", password: users.leaf },
          { user: "app", password: users.app },
        ],
      },
    },
    leafnodes: { host, port: -1, tls },
  };
}

/** Makes the stream, and tells the watcher of every arrival and of every message stored. */
async function openStream(connection: NatsConnection, watcher: HubWatcher, onFault: (why: Error) => void) {
  await ask(connection, `STREAM.CREATE.${STREAM}`, {
    name: STREAM,
    subjects: [STREAM_SUBJECTS],
    storage: "file",
    max_bytes: STREAM_BYTES_MAX,
    discard: "old",
    duplicate_window: DUPLICATE_WINDOW_MS * NS_PER_MS,
  });
  connection.subscribe(STREAM_SUBJECTS, {
    callback: (error, message) => (error ? onFault(error) : watcher.onArrival(message.subject, message.data)),
  });
  const reader = { lastSeq: 0 };
  const deliverSubject = createInbox();
  connection.subscribe(deliverSubject, {
    callback: (error, message) => {
      const seq = error ? undefined : streamSeqOf(message);
      if (seq === undefined) return;
      if (seq !== reader.lastSeq + 1)
        onFault(
          new Error(
            `the demo's own reader missed messages ${reader.lastSeq + 1} to ${seq - 1} of the stream; its count would be wrong`,
          ),
        );
      reader.lastSeq = seq;
      watcher.onStored(message.subject, message.data);
    },
  });
  const config = { deliver_subject: deliverSubject, deliver_policy: "all", ack_policy: "none", replay_policy: "instant" };
  await ask(connection, `CONSUMER.CREATE.${STREAM}`, { stream_name: STREAM, config });
  return reader;
}

/** A stored message comes with a reply subject that says where it stands: `$JS.ACK.<stream>.<consumer>.<copies>.<stream seq>.…`. */
function streamSeqOf(message: Msg): number | undefined {
  const seq = Number(message.reply?.split(".")[5]);
  return Number.isSafeInteger(seq) ? seq : undefined;
}

async function lastSeqOf(connection: NatsConnection): Promise<number> {
  const { state } = (await ask(connection, `STREAM.INFO.${STREAM}`, {})) as { state: { last_seq: number } };
  return state.last_seq;
}

async function ask(connection: NatsConnection, what: string, request: object): Promise<object> {
  const answer = (await connection.request(`$JS.API.${what}`, JSON.stringify(request), { timeout: 10_000 })).json<{
    error?: { description: string };
  }>();
  if (answer.error) throw new Error(`the hub refused ${what}: ${answer.error.description}`);
  return answer;
}

interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** An authority of our own, and one certificate by it, as a hub's owner would make them. Good for a week. */
async function makeCertificates(folder: string): Promise<Certificates> {
  const file = (name: string) => path.join(folder, name);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const caFiles = ["-keyout", file("ca.key"), "-out", file("ca.pem")];
  await runCommand("openssl", ["req", "-x509", ...newKey, ...caFiles, "-days", "8", "-subj", "/CN=Petiole demo authority"]);
  await runCommand("openssl", ["req", ...newKey, "-keyout", file("hub.key"), "-out", file("hub.csr"), "-subj", "/CN=demo-hub"]);
  await fs.writeFile(file("hub.ext"), "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n");
  const by = ["-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-CAcreateserial", "-extfile", file("hub.ext")];
  await runCommand("openssl", ["x509", "-req", ...by, "-in", file("hub.csr"), "-out", file("hub.pem"), "-days", "7"]);
  return { ca: file("ca.pem"), cert: file("hub.pem"), key: file("hub.key") };
}

export function password(): string {
  return randomBytes(9).toString("base64url");
}
