// TLS towards a hub, and what its faults mean in plain words. Source: spec/leafnode-protocol.md §3.

import { isIP } from "node:net";
import * as tls from "node:tls";
import type { Disk } from "#base/disk.ts";
import { readWhole } from "#base/disk.ts";
import { PetioleError, systemCode } from "#base/errors.ts";
import type { ByteStream } from "#base/net.ts";
import { LEAF_CREDENTIALS, LEAF_TLS_FAILED } from "./errors.ts";
import type { TlsOptions } from "./options.ts";

const PEM_BYTES_MAX = 1024 * 1024;

/** Certificate files, read anew for each attempt so that a renewed one is taken without a restart. */
export interface TlsFiles {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

/** Relative paths are relative to the data directory. Throws LEAF_CREDENTIALS naming the setting and the file. */
export async function readTlsFiles(disk: Disk, dataDir: string, options: TlsOptions | null): Promise<TlsFiles> {
  const read = async (setting: string, path: string | null | undefined): Promise<Buffer | undefined> => {
    if (path === null || path === undefined) return undefined;
    const absolute = path.startsWith("/") ? path : `${dataDir}/${path}`;
    let bytes: Buffer | undefined;
    try {
      bytes = await readWhole(disk, absolute, PEM_BYTES_MAX);
    } catch (cause) {
      throw new PetioleError(LEAF_CREDENTIALS, `tls.${setting}: cannot read ${absolute}`, { remedy: "backoff", cause });
    }
    if (bytes === undefined)
      throw new PetioleError(LEAF_CREDENTIALS, `tls.${setting}: there is no file ${absolute}; put it there or correct the path`, {
        remedy: "backoff",
      });
    if (!bytes.includes("-----BEGIN ")) {
      throw new PetioleError(
        LEAF_CREDENTIALS,
        `tls.${setting}: ${absolute} is not PEM (no "-----BEGIN" in its ${bytes.length} bytes); wanted a PEM file`,
        { remedy: "backoff" },
      );
    }
    return bytes;
  };
  return {
    ca: await read("ca_file", options?.caFile),
    cert: await read("cert_file", options?.certFile),
    key: await read("key_file", options?.keyFile),
  };
}

/** Does the handshake on `stream`, which belongs to the result from then on. Throws LEAF_TLS_FAILED. Aborting destroys the stream. */
export async function secure(
  stream: ByteStream,
  hub: { readonly host: string; readonly label: string },
  options: TlsOptions | null,
  files: TlsFiles,
  signal: AbortSignal,
): Promise<tls.TLSSocket> {
  signal.throwIfAborted();
  const name = options?.serverName ?? hub.host;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let socket: tls.TLSSocket;
  try {
    socket = tls.connect({
      socket: stream,
      host: name,
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ...(files.ca === undefined ? {} : { ca: files.ca }),
      ...(files.cert === undefined ? {} : { cert: files.cert }),
      ...(files.key === undefined ? {} : { key: files.key }),
      minVersion: "TLSv1.2",
    });
  } catch (cause) {
    throw new PetioleError(LEAF_TLS_FAILED, `hub ${hub.label}: ${plainWords(cause, name)}`, { remedy: "backoff", cause });
  }
  const onEnd = () => reject(Object.assign(new Error("the stream ended"), { code: "ECONNRESET" }));
  const onAbort = () => {
    reject(signal.reason);
    socket.destroy();
  };
  socket.once("secureConnect", resolve).once("error", reject).once("close", onEnd);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await promise;
    return socket;
  } catch (cause) {
    socket.on("error", () => undefined); // what comes after the first fault says nothing new
    socket.destroy();
    signal.throwIfAborted();
    const remedy = isPassing(cause) ? "retry" : "backoff";
    throw new PetioleError(LEAF_TLS_FAILED, `hub ${hub.label}: ${plainWords(cause, name)}`, { remedy, cause });
  } finally {
    socket.off("secureConnect", resolve).off("error", reject).off("close", onEnd);
    signal.removeEventListener("abort", onAbort);
  }
}

/** A network that failed in the middle heals by itself; a certificate or a wrong port wants a person. */
function isPassing(fault: unknown): boolean {
  return ["ECONNRESET", "EPIPE", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH"].includes(systemCode(fault) ?? "");
}

function plainWords(fault: unknown, name: string): string {
  switch (systemCode(fault)) {
    case "CERT_HAS_EXPIRED":
      return "its certificate has expired; renew it at the hub, or check this device's clock";
    case "CERT_NOT_YET_VALID":
      return "its certificate is not valid yet; check this device's clock";
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `its certificate is for another name than ${name}; dial the name it carries, or set tls.server_name`;
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
      return "its certificate is signed by nobody we trust; set tls.ca_file to the CA that signed it";
    case "ERR_SSL_WRONG_VERSION_NUMBER":
    case "ERR_SSL_PACKET_LENGTH_TOO_LONG":
      return "it answers without TLS; if it speaks TLS only after INFO, set tls.handshake_first to false, else check the port";
    case "ECONNRESET":
      return "the connection ended during the TLS handshake; if that goes on, check the port, and whether it does TLS at all";
    default:
      return "TLS failed";
  }
}
