// What CONNECT says of us. Source: spec/leafnode-protocol.md §5.

import { displaySubject } from "#core/subject.ts";
import type { LeafConnect } from "#wire/leaf-lines.ts";
import type { LoginFields } from "./credentials.ts";
import { type RemoteOptions, remoteName } from "./options.ts";
import { loginFor, type RemoteUrl } from "./remote-url.ts";

/** The nats-server version whose leaf protocol we speak; hubs compare it with their `min_version`. */
const COMPATIBLE_VERSION = "2.15.1";

export function connectFor(
  remote: RemoteOptions,
  url: RemoteUrl,
  serverName: string,
  compressMode: string,
  signed: LoginFields,
): LeafConnect {
  const login = loginFor(remote, url);
  return {
    version: COMPATIBLE_VERSION,
    name: serverName,
    cluster: serverName, // as a standalone nats-server does: the hub then tells a reconnect from a stranger (spec §6.4)
    headers: true,
    remote_account: remoteName(remote), // with its own name, two remotes of one account may meet at one hub
    compress_mode: compressMode,
    protocol: 1,
    ...(remote.isolated ? { isolate: true as const } : {}),
    ...(remote.denyImports.length > 0 ? { deny_pub: remote.denyImports.map(displaySubject) } : {}),
    ...(login?.kind === "password" ? { user: login.user, pass: login.password.reveal() } : {}),
    ...(login?.kind === "token" ? { user: login.token.reveal(), auth_token: login.token.reveal() } : {}),
    ...signed,
  };
}
