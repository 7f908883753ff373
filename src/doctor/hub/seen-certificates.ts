// A look at the certificates a hub shows, whatever is wrong with them: the handshake is done without judging, nothing is said over
// what comes of it, and it is thrown away. Whether they are good is decided elsewhere, by the daemon's own handshake.

import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import * as tls from "node:tls";
import type { ByteStream } from "#base/net.ts";
import { instantText } from "#base/wall-clock.ts";
import { certificateFacts } from "#uplink/tls-faults.ts";
import type { Facts } from "../report.ts";

export interface SeenTls {
  readonly socket: tls.TLSSocket;
  /** The hub's own first. */
  readonly chain: readonly X509Certificate[];
}

export interface LookOptions {
  /** Goes out as SNI unless it is an address. */
  readonly name: string;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

const CHAIN_MAX = 8;

/** Rejects with what the handshake ended with. The caller destroys the socket. */
export async function lookAtTls(stream: ByteStream, { name, cert, key }: LookOptions, signal: AbortSignal): Promise<SeenTls> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = tls.connect({
    socket: stream,
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
    minVersion: "TLSv1.2",
    rejectUnauthorized: false, // to look at, not to trust: see above
  });
  socket.on("error", () => undefined); // whoever listens for it hears it; nobody must not end the process
  const onAbort = () => reject(signal.reason);
  const onEnd = () => reject(Object.assign(new Error("the stream ended"), { code: "ECONNRESET" }));
  socket.once("secureConnect", resolve).once("error", reject).once("close", onEnd);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await promise;
    return { socket, chain: chainOf(socket.getPeerX509Certificate()) };
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    socket.off("secureConnect", resolve).off("error", reject).off("close", onEnd);
    signal.removeEventListener("abort", onAbort);
  }
}

function chainOf(first: X509Certificate | undefined): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  let at = first;
  while (at !== undefined && chain.length < CHAIN_MAX && chain.at(-1)?.fingerprint256 !== at.fingerprint256) {
    chain.push(at);
    at = at.issuerCertificate;
  }
  return chain;
}

/** For people and head office. */
export function certificateShown(certificate: X509Certificate): Facts {
  const { begins, ends, names, issuer } = certificateFacts(certificate);
  return {
    subject: (certificate.subject ?? "").replaceAll(/[^\x20-\x7e]/g, ", ").slice(0, 200),
    issuer,
    names,
    begins: instantText(begins),
    ends: instantText(ends),
    sha256: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
  };
}
