// The hubs we dial. Key names are nats-server's where it has them, so that a `leafnodes` block can be carried over.

import type { Report } from "#base/fault.ts";
import {
  duration,
  either,
  fields,
  flag,
  type Loose,
  list,
  mapped,
  nullable,
  number,
  oneOf,
  optional,
  required,
  type ValueOf,
} from "#base/schema.ts";
import { filePath, secretText, text, token } from "#base/schema-text.ts";
import type { Secret } from "#base/secret.ts";
import { subjectFilter } from "#core/subject-schema.ts";
import { proxyUrl } from "./proxy-url.ts";
import { type RemoteUrl, remoteUrl } from "./remote-url.ts";
import { spkiPin } from "./spki-pin.ts";

const tlsOptions = fields(
  {
    handshake_first: optional(flag(), false, "TLS before anything else; the hub must be set the same way"),
    ca_file: optional(nullable(filePath()), null, "CA certificates to trust (PEM) instead of the system's"),
    cert_file: optional(nullable(filePath()), null, "our certificate (PEM), where the hub asks for one"),
    key_file: optional(nullable(filePath()), null, "the key of our certificate (PEM)"),
    server_name: optional(nullable(text("a host name")), null, "name the hub's certificate must carry; null: the URL's host"),
    pinned_spki: optional(
      list(spkiPin(), { max: 16 }),
      [],
      "SHA-256 of the public keys (SPKI) to insist on, hex or base64; none: any",
    ),
  },
  (tls, report) => {
    if (tls.certFile === undefined || tls.keyFile === undefined || (tls.certFile === null) === (tls.keyFile === null)) return;
    const missing = tls.certFile === null ? "cert_file" : "key_file";
    report.fault([missing], { wanted: "the path of a file", found: "null", remedy: "cert_file and key_file go together" });
  },
);

const reconnectOptions = fields(
  {
    min: optional(duration("10ms", "1h"), "1s", "shortest wait before dialing again"),
    max: optional(duration("10ms", "1d"), "60s", "longest wait; the waits double up to it"),
    jitter: optional(number(0, 1), 0.5, "share of each wait that is random, so that a fleet does not come back at once"),
    return_to_first: optional(
      nullable(duration("1s", "7d")),
      "10m",
      "with no_randomize: go back to the first URL once it has answered for this long; null: stay",
    ),
  },
  ({ min, max }, report) => {
    if (min === undefined || max === undefined || min <= max) return;
    report.fault(["max"], { wanted: "at least reconnect.min", found: "less", remedy: "raise max or lower min" });
  },
);

/** Round trip times up to which `s2_auto` stores, compresses fast, better; above: best. nats-server's defaults. */
const RTT_THRESHOLDS = ["10ms", "50ms", "100ms"];

const compressionModes = oneOf(["off", "accept", "s2_auto", "s2_uncompressed", "s2_fast", "s2_better", "s2_best"]);
const compressionBlock = fields({
  mode: required(compressionModes, "how to compress"),
  rtt_thresholds: optional(
    list(duration("0ms", "10m"), { max: 3 }),
    RTT_THRESHOLDS,
    "s2_auto: round trip times up to which it stores, compresses fast, compresses better; 0 skips a level",
  ),
});
/** `"s2_fast"`, or `{ "mode": "s2_auto", "rtt_thresholds": […] }` as nats-server has it. */
const compression = mapped(either({ text: compressionModes, object: compressionBlock }), (value) =>
  typeof value === "string" ? { mode: value, rttThresholds: [10, 50, 100] as readonly number[] } : value,
);

const proxyOptions = fields({
  url: required(proxyUrl(), "the proxy, http://host:port; it must allow CONNECT to the hub's port"),
  username: optional(nullable(text("a user name", { bytesMax: 256 })), null, "user at the proxy"),
  password: optional(nullable(secretText("a password")), null, "password at the proxy"),
  timeout: optional(duration("1s", "5m"), "10s", "how long the proxy may take to open the way"),
});

export const remoteOptions = fields(
  {
    urls: required(
      list(remoteUrl(), { min: 1, max: 32, check: checkUrls }),
      "where the hub's leaf port listens; several: failover",
    ),
    account: optional(token("an account name"), "EDGE", "local account bound to this hub"),
    name: optional(nullable(token("a name")), null, "name of this remote and of its outbox's folder; null: the account's"),
    credentials: optional(nullable(filePath()), null, "credentials file (user JWT and seed), read again for each attempt"),
    nkey: optional(nullable(filePath()), null, "file with the user's nkey seed, read again for each attempt"),
    user: optional(nullable(text("a user name", { bytesMax: 256 })), null, "user at the hub; or in the URLs"),
    password: optional(nullable(secretText("a password")), null, "password at the hub; or in the URLs"),
    tls: optional(nullable(tlsOptions), null, "a block, even an empty one, means TLS or no connection, as tls:// does"),
    compression: optional(compression, "s2_auto", "compression of the link; over WebSocket, permessage-deflate unless off"),
    isolated: optional(flag(), true, "ask the hub to keep other leaves' traffic away (request_isolation)"),
    deny_imports: optional(list(subjectFilter()), [], "subjects never taken from the hub"),
    deny_exports: optional(list(subjectFilter()), [], "subjects never sent to the hub"),
    no_randomize: optional(flag(), false, "try the URLs in the order given"),
    ignore_discovered_servers: optional(flag(), false, "dial the configured URLs only, not those the hub tells of"),
    reconnect: optional(reconnectOptions, {}, "how to come back after a lost link"),
    proxy: optional(nullable(proxyOptions), null, "HTTP proxy (CONNECT) on the way to every URL of this remote"),
    flush_delay: optional(duration("0ms", "1m"), "0ms", "metered links: gather up to this long before a flush"),
  },
  checkLogin,
);

export const leafnodesOptions = fields({
  remotes: optional(list(remoteOptions, { max: 16, check: checkNames }), [], "hubs to link with; each has an outbox of its own"),
});

export type TlsOptions = ValueOf<typeof tlsOptions>;
export type ReconnectOptions = ValueOf<typeof reconnectOptions>;
export type CompressionOptions = ValueOf<typeof compression>;
export type ProxyOptions = ValueOf<typeof proxyOptions>;
export type RemoteOptions = ValueOf<typeof remoteOptions>;
export type LeafnodesOptions = ValueOf<typeof leafnodesOptions>;

function checkUrls(urls: readonly Loose<RemoteUrl>[], report: Report): void {
  const seen = new Map<string, number>();
  for (const [i, url] of urls.entries()) {
    if (url?.text === undefined) continue;
    const earlier = seen.get(url.text);
    if (earlier !== undefined) {
      report.fault([i], {
        wanted: "a URL of its own",
        found: `"${url.text}" again (urls[${earlier}])`,
        remedy: "take one of them out",
      });
    }
    seen.set(url.text, earlier ?? i);
  }
}

interface LoginKeys {
  readonly credentials: string | null | undefined;
  readonly nkey: string | null | undefined;
  readonly user: string | null | undefined;
  readonly password: Secret | null | undefined;
  readonly urls: readonly Loose<RemoteUrl>[] | undefined;
}

/** One way to log in: a credentials file, an nkey, user and password, or what the URLs carry. */
function checkLogin(remote: LoginKeys, report: Report): void {
  const { user, password, urls, credentials, nkey } = remote;
  if (user === undefined || password === undefined) return;
  if ((user === null) !== (password === null)) {
    const [missing, given] = user === null ? ["user", "password"] : ["password", "user"];
    report.fault([missing!], {
      wanted: `a ${missing} beside the ${given}`,
      found: "null",
      remedy: "user and password go together",
    });
    return;
  }
  const inUrl = (urls ?? []).findIndex((url) => url?.login != null);
  const ways: (readonly [name: string, path: readonly (string | number)[]])[] = [];
  if (credentials != null) ways.push(["credentials", ["credentials"]]);
  if (nkey != null) ways.push(["nkey", ["nkey"]]);
  if (user !== null) ways.push(["user and password", ["user"]]);
  if (inUrl >= 0) ways.push(["the login in the URL", ["urls", inUrl]]);
  for (const [name, path] of ways.slice(1)) {
    report.fault(path, {
      wanted: "one login for a remote",
      found: `${name} beside ${ways[0]![0]}`,
      remedy: "keep one of them and take out the other",
    });
  }
}

/** Outbox folders and status lines go by these names. */
export function remoteName(remote: { readonly name: string | null; readonly account: string }): string {
  return remote.name ?? remote.account;
}

function checkNames(remotes: readonly Loose<{ readonly name: string | null; readonly account: string }>[], report: Report): void {
  const seen = new Map<string, number>();
  for (const [i, remote] of remotes.entries()) {
    if (remote?.account === undefined || remote.name === undefined) continue;
    const name = remoteName({ name: remote.name, account: remote.account });
    const earlier = seen.get(name);
    if (earlier !== undefined) {
      report.fault([i, "name"], {
        wanted: "a name that no other remote has",
        found: `"${name}", the name of remotes[${earlier}]`,
        remedy: "two remotes may share an account, but each needs a name of its own: its outbox on flash goes by it",
      });
    }
    seen.set(name, earlier ?? i);
  }
}
