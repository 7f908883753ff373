// The hub most tests want: one nats-server with one account, a user for clients, a user for leaves, and TLS as asked.
//
//   await using hub = await startHub({ version: "2.10", tls: "first" });
//   // hub.leafUrl, hub.ca, hub.connect(), hub.server.restart() …

import type { NatsConnection, NodeConnectionOptions } from "@nats-io/transport-node";
import { type Certificates, certificates, type KeyPair } from "./certificates.ts";
import { NatsServer, type ServerConfig, type ServerLine } from "./nats-server.ts";

export interface User {
  readonly user: string;
  readonly password: string;
  /** As in nats-server's configuration. */
  readonly permissions?: Readonly<Record<string, unknown>>;
}

export interface HubOptions {
  readonly version: ServerLine;
  /** Of the leafnode port. `upgrade`: INFO in clear, then TLS; `first`: TLS from the first byte. Default: none. */
  readonly tls?: "none" | "upgrade" | "first";
  /** Which certificate the leafnode port shows. Default: a good one. */
  readonly certificate?: Exclude<keyof Certificates, "ca" | symbol>;
  /** Whether a leaf must show a client certificate. */
  readonly verifyClients?: boolean;
  /** A WebSocket port as well; `tls`: wss, with the certificate that `certificate` names. Default: none. */
  readonly webSocket?: "clear" | "tls";
  /** Of the account; the first is what `connect` uses. Default: `CLIENT` and `LEAF`. */
  readonly users?: readonly User[];
  readonly jetstream?: boolean;
  /** Laid over the leafnodes block. */
  readonly leafnodes?: ServerConfig;
  /** Laid over the account's block: exports, imports, limits. */
  readonly account?: ServerConfig;
  /** Laid over everything. */
  readonly config?: ServerConfig;
  readonly name?: string;
}

export const ACCOUNT = "APP";
export const CLIENT: User = { user: "app", password: "app-password" };
export const LEAF: User = { user: "leaf", password: "leaf-password" };

export interface Hub extends AsyncDisposable {
  readonly server: NatsServer;
  /** `tls://` where it speaks TLS, else `nats-leaf://`; no credentials in it. */
  readonly leafUrl: string;
  /** The same with user and password. */
  leafUrlAs(user: User): string;
  /** `ws://` or `wss://`, where the hub has a WebSocket port; no credentials in it. */
  readonly webSocketUrl: string;
  /** File of the authority that signed the server's certificate; undefined without TLS. */
  readonly ca: string | undefined;
  /** A client in the account, by default as its first user. */
  connect(options?: NodeConnectionOptions): Promise<NatsConnection>;
}

export async function startHub(options: HubOptions): Promise<Hub> {
  await using scope = new AsyncDisposableStack();
  const tls = options.tls ?? "none";
  const certs = tls === "none" && options.webSocket !== "tls" ? undefined : scope.use(await certificates());
  const server = scope.use(await NatsServer.start(describeHub(options, certs)));
  const [first = CLIENT] = options.users ?? [];
  const leafUrl = `${tls === "none" ? "nats-leaf" : "tls"}://127.0.0.1:${server.port("leaf")}`;
  const owned = scope.move();
  return {
    server,
    leafUrl,
    get webSocketUrl() {
      return `${options.webSocket === "tls" ? "wss" : "ws"}://127.0.0.1:${server.port("websocket")}`;
    },
    ca: certs?.ca,
    leafUrlAs: ({ user, password }) => leafUrl.replace("://", `://${encodeURIComponent(user)}:${encodeURIComponent(password)}@`),
    connect: (more = {}) => server.connect({ user: first.user, pass: first.password, ...more }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function describeHub(options: HubOptions, certs: Certificates | undefined) {
  const { version, name = "hub", users = [CLIENT, LEAF], jetstream = false } = options;
  const tls =
    certs &&
    options.tls !== undefined &&
    options.tls !== "none" &&
    tlsBlock(options, certs, certs[options.certificate ?? "server"]);
  const config: ServerConfig = {
    accounts: {
      [ACCOUNT]: { users, ...(jetstream ? { jetstream: "enabled" } : {}), ...options.account },
      SYS: { users: [{ user: "sys", password: "sys-password" }] },
    },
    system_account: "SYS",
    leafnodes: { ...(tls ? { tls } : {}), ...options.leafnodes },
    ...(options.webSocket === undefined ? {} : { websocket: webSocketBlock(options, certs) }),
    ...(jetstream ? { jetstream: {} } : {}),
    ...options.config,
  };
  return { version, name, config };
}

function webSocketBlock(options: HubOptions, certs: Certificates | undefined): ServerConfig {
  if (options.webSocket !== "tls" || certs === undefined) return { no_tls: true, compression: true };
  const pair = certs[options.certificate ?? "server"];
  return { tls: { cert_file: pair.cert, key_file: pair.key }, compression: true };
}

function tlsBlock(options: HubOptions, certs: Certificates, pair: KeyPair): ServerConfig {
  return {
    cert_file: pair.cert,
    key_file: pair.key,
    ca_file: certs.ca,
    handshake_first: options.tls === "first",
    ...(options.verifyClients ? { verify: true } : {}),
  };
}
