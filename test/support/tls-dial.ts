// One TLS connection to a leaf port through src/uplink/secure.ts, without a link around it.

import { once } from "node:events";
import * as net from "node:net";
import type * as tls from "node:tls";
import { systemDisk } from "#base/disk.ts";
import { PetioleError } from "#base/errors.ts";
import type { TlsOptions } from "#uplink/options.ts";
import { readTlsFiles, secure, type TlsMemory } from "#uplink/secure.ts";
import { remoteFrom } from "./link-harness.ts";

export interface TlsDial {
  readonly port: number;
  /** The `tls` block as an owner would write it. */
  readonly tls: { readonly [key: string]: string | boolean | string[] };
  readonly host?: string;
  readonly borrowedName?: string;
  readonly memory?: TlsMemory;
}

export function tlsOptionsFrom(block: TlsDial["tls"]): TlsOptions {
  return remoteFrom({ urls: ["tls://127.0.0.1:1"], tls: { ...block } }).tls!;
}

/** With `handshake_first` at once, else behind INFO. The caller destroys the socket. */
export async function dialTls({ port, tls, host = "127.0.0.1", borrowedName, memory }: TlsDial): Promise<tls.TLSSocket> {
  const options = tlsOptionsFrom(tls);
  const stream = net.connect(port, "127.0.0.1");
  stream.on("error", () => undefined); // the handshake reports it
  await once(stream, "connect");
  if (!options.handshakeFirst) {
    await once(stream, "data");
    stream.pause();
  }
  const files = await readTlsFiles(systemDisk(), "/nowhere", options);
  const hub = { host, label: `tls://${host}:${port}`, ...(borrowedName === undefined ? {} : { borrowedName }) };
  return await secure(stream, hub, options, files, AbortSignal.timeout(10_000), memory);
}

/** The fault of a handshake that must fail. */
export async function tlsFaultOf(dial: TlsDial): Promise<PetioleError> {
  const outcome = await dialTls(dial).catch((error: unknown) => error);
  if (outcome instanceof PetioleError) return outcome;
  if (outcome instanceof Error) throw outcome;
  (outcome as tls.TLSSocket).destroy();
  throw new Error("the handshake succeeded");
}
