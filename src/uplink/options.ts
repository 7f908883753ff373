// The hubs we dial. Key names are nats-server's where it has them, so that a `leafnodes` block can be carried over.

import type { Report } from "#base/fault.ts";
import {
  duration,
  either,
  fields,
  flag,
  type Loose,
  later,
  list,
  mapped,
  nothing,
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
import { type RemoteUrl, remoteUrl } from "./remote-url.ts";

const tlsOptions = fields(
  {
    handshake_first: optional(flag(), false, "TLS before anything else; the hub must be set the same way"),
    ca_file: optional(nullable(filePath()), null, "CA certificates to trust (PEM) instead of the system's"),
    cert_file: optional(nullable(filePath()), null, "our certificate (PEM), where the hub asks for one"),
    key_file: optional(nullable(filePath()), null, "the key of our certificate (PEM)"),
    server_name: optional(nullable(text("a host name")), null, "name the hub's certificate must carry; null: the URL's host"),
    pinned_spki: later(list(text("a hash")), [], "public keys to insist on"),
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
    return_to_first: later(nullable(duration("1s", "7d")), null, "go back to the first URL after this long on another"),
  },
  ({ min, max }, report) => {
    if (min === undefined || max === undefined || min <= max) return;
    report.fault(["max"], { wanted: "at least reconnect.min", found: "less", remedy: "raise max or lower min" });
  },
);

const COMPRESSION_LATER = ["accept", "s2_auto", "s2_uncompressed", "s2_fast", "s2_better", "s2_best"] as const;
const compressionModes = oneOf(["off"], { later: COMPRESSION_LATER });
/** `"off"`, or `{ "mode": "off" }` as nats-server has it; decoded to the mode. */
const compression = mapped(
  either({
    text: compressionModes,
    object: fields({
      mode: required(compressionModes, "how to compress"),
      rtt_thresholds: later(list(duration("0ms", "10m"), { max: 4 }), [], "round trip times between the levels"),
    }),
  }),
  (value) => (typeof value === "string" ? value : value.mode),
);

export const remoteOptions = fields(
  {
    urls: required(
      list(remoteUrl(), { min: 1, max: 32, check: checkUrls }),
      "where the hub's leaf port listens; several: failover",
    ),
    account: optional(token("an account name"), "EDGE", "local account bound to this hub"),
    credentials: later(nullable(filePath()), null, "credentials file (user JWT and seed)"),
    nkey: later(nullable(filePath()), null, "file with the user's nkey seed"),
    user: optional(nullable(text("a user name", { bytesMax: 256 })), null, "user at the hub; or in the URLs"),
    password: optional(nullable(secretText("a password")), null, "password at the hub; or in the URLs"),
    tls: optional(nullable(tlsOptions), null, "a block, even an empty one, means TLS or no connection, as tls:// does"),
    compression: optional(compression, "off", "compression of the link"),
    isolated: optional(flag(), true, "ask the hub to keep other leaves' traffic away (request_isolation)"),
    deny_imports: optional(list(subjectFilter()), [], "subjects never taken from the hub"),
    deny_exports: optional(list(subjectFilter()), [], "subjects never sent to the hub"),
    no_randomize: optional(flag(), false, "try the URLs in the order given"),
    ignore_discovered_servers: later(flag(), true, "dial the configured URLs only; those the hub tells of are not used yet"),
    reconnect: optional(reconnectOptions, {}, "how to come back after a lost link"),
    proxy: later(nothing(), null, "HTTP proxy for WebSocket URLs"),
    flush_delay: later(duration("0ms", "1m"), "0ms", "metered links: gather up to this long before a flush"),
  },
  checkLogin,
);

export const leafnodesOptions = fields({
  remotes: optional(list(remoteOptions, { max: 16, check: checkAccounts }), [], "hubs to link with, one per local account"),
});

export type TlsOptions = ValueOf<typeof tlsOptions>;
export type ReconnectOptions = ValueOf<typeof reconnectOptions>;
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
  readonly user: string | null | undefined;
  readonly password: Secret | null | undefined;
  readonly urls: readonly Loose<RemoteUrl>[] | undefined;
}

function checkLogin(remote: LoginKeys, report: Report): void {
  const { user, password, urls } = remote;
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
  if (user === null || inUrl < 0) return;
  report.fault(["urls", inUrl], {
    wanted: "one login for a remote",
    found: "a second one in the URL",
    remedy: "take it out of the URL, or leave out the keys user and password",
  });
}

function checkAccounts(remotes: readonly Loose<{ readonly account: string }>[], report: Report): void {
  const seen = new Map<string, number>();
  for (const [i, remote] of remotes.entries()) {
    if (remote?.account === undefined) continue;
    const earlier = seen.get(remote.account);
    if (earlier !== undefined) {
      report.fault([i, "account"], {
        wanted: "an account that no other remote binds",
        found: `"${remote.account}", bound by remotes[${earlier}]`,
        remedy: "two remotes for one account are not supported yet: list both hubs' URLs in one remote, or use another account",
      });
    }
    seen.set(remote.account, earlier ?? i);
  }
}
