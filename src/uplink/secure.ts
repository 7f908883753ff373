// TLS towards a hub: the handshake, and everything a hub must show in it. Source: spec/leafnode-protocol.md §3.
//
//   chain   always, against tls.ca_file or, without one, the public CAs
//   name    tls.server_name, else the URL's host. Where that is an address: the address itself, or the first host name among the
//           remote's configured URLs (which also goes out as SNI). Whoever can show that name is a hub its owner has named, so
//           borrowing it weakens nothing; names that hubs tell of are never borrowed.
//   pins    on top of both, if there are any: SHA-256 of the public key (SPKI) of the hub's own certificate, no CA's, as
//           nats-server's pinned_certs has it.
//
// What fails ends the connection; there is no way to go on with a warning. Faults in plain words: tls-faults.ts.

import { constants, createHash, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import * as tls from "node:tls";
import { assert } from "#base/assert.ts";
import { type Clock, systemClock } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import { PetioleError, systemCode } from "#base/errors.ts";
import { type Log, silentLog } from "#base/log.ts";
import type { ByteStream } from "#base/net.ts";
import { LEAF_CREDENTIALS, LEAF_TLS_PIN } from "./errors.ts";
import type { TlsOptions } from "./options.ts";
import { absolutePath, readNamedFile } from "./secret-file.ts";
import { briefly, certificateFacts, type TlsWay, tlsFault } from "./tls-faults.ts";
import { identityOf, TlsSessions, type Verified } from "./tls-sessions.ts";

const PEM_BYTES_MAX = 1024 * 1024;
/** More URLs than a remote may have, gossiped ones included. */
const HUBS_MAX = 64;

/** Certificate files, read anew for each attempt so that a renewed one is taken without a restart. */
export interface TlsFiles {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  /** Good for one handshake: wiped by it. */
  readonly key: Buffer | undefined;
}

export interface SecureHub {
  /** As dialed: name or address. */
  readonly host: string;
  /** The URL, for people; sessions go by it. */
  readonly label: string;
  /** `nameToBorrow` of the configured URLs; used where `host` is an address. */
  readonly borrowedName?: string | null;
  /** `wss://`: for the words of a fault. */
  readonly isWebSocket?: boolean;
}

/** What a remote remembers from handshake to handshake. */
export class TlsMemory {
  readonly clock: Clock;
  readonly sessions: TlsSessions;
  readonly #namedOtherwise = new Set<string>();

  constructor(clock: Clock) {
    this.clock = clock;
    this.sessions = new TlsSessions(clock);
  }

  /** The hub showed that the borrowed name is not its own. */
  leaveNameAway(label: string): void {
    if (this.#namedOtherwise.size >= HUBS_MAX) this.#namedOtherwise.clear();
    this.#namedOtherwise.add(label);
  }

  mayBorrow(label: string): boolean {
    return !this.#namedOtherwise.has(label);
  }
}

/** The first host name among the configured URLs; null if all are addresses. */
export function nameToBorrow(urls: readonly { readonly endpoint: { readonly host: string } }[]): string | null {
  return urls.find(({ endpoint }) => isIP(endpoint.host) === 0)?.endpoint.host ?? null;
}

/** Relative paths are relative to the data directory. Throws LEAF_CREDENTIALS naming the setting and the file. */
export async function readTlsFiles(
  disk: Disk,
  dataDir: string,
  options: TlsOptions | null,
  log: Log = silentLog(),
): Promise<TlsFiles> {
  const read = async (setting: string, path: string | null | undefined): Promise<Buffer | undefined> => {
    if (path === null || path === undefined) return undefined;
    const isSecret = setting === "tls.key_file";
    const bytes = await readNamedFile(disk, dataDir, { setting, path, bytesMax: PEM_BYTES_MAX, isSecret }, log);
    const fault = pemFault(bytes, isSecret);
    if (fault === null) return bytes;
    throw new PetioleError(LEAF_CREDENTIALS, `${setting}: ${absolutePath(dataDir, path)} ${fault}`, { remedy: "backoff" });
  };
  return {
    ca: await read("tls.ca_file", options?.caFile),
    cert: await read("tls.cert_file", options?.certFile),
    key: await read("tls.key_file", options?.keyFile),
  };
}

/** Node passes over certificates that do not decode: a CA file that was cut off would look like a hub that nobody vouches for. */
function pemFault(bytes: Buffer, isKey: boolean): string | null {
  if (!bytes.includes("-----BEGIN ")) return `is not PEM (no "-----BEGIN" in its ${bytes.length} bytes); wanted a PEM file`;
  if (isKey) return null;
  const starts = bytes.toString("latin1").split(/(?=-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----)/);
  const blocks = starts.filter((block) => block.startsWith("-----BEGIN "));
  if (!starts.some((block) => /^-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----/.test(block)))
    return "holds no certificate; wanted one";
  for (const [i, block] of blocks.entries()) {
    try {
      new X509Certificate(block);
    } catch {
      return `holds a certificate that does not decode (number ${i + 1} of ${blocks.length}); it was cut off or changed`;
    }
  }
  return null;
}

/**
 * Does the handshake on `stream`, which belongs to the result from then on. Throws LEAF_TLS_FAILED, LEAF_TLS_CLIENT,
 * LEAF_TLS_CLOCK or LEAF_TLS_PIN. Aborting destroys the stream.
 */
export async function secure(
  stream: ByteStream,
  hub: SecureHub,
  options: TlsOptions | null,
  files: TlsFiles,
  signal: AbortSignal,
  memory: TlsMemory = new TlsMemory(systemClock()),
): Promise<tls.TLSSocket> {
  signal.throwIfAborted();
  const { names, sni } = namesOf(hub, options, memory);
  const identity = identityOf(options, files, names);
  const earlier = memory.sessions.find(hub.label, identity);
  const hasClientCertificate = files.cert !== undefined;
  let certificate: X509Certificate | undefined;
  const explained = (cause: unknown) => {
    const facts = certificate === undefined ? null : certificateFacts(certificate);
    const handshake = { names, wall: memory.clock.wall(), certificate: facts, hasClientCertificate, way: wayOf(hub, options) };
    const { code, remedy, words } = tlsFault(cause, handshake);
    return new PetioleError(code, `hub ${hub.label}: ${words}`, { remedy, cause: briefly(cause) });
  };
  let socket: tls.TLSSocket;
  try {
    socket = tls.connect({
      socket: stream,
      host: names[0],
      ...(sni === null ? {} : { servername: sni }),
      ...(files.ca === undefined ? {} : { ca: files.ca }),
      ...(files.cert === undefined ? {} : { cert: files.cert }),
      ...(files.key === undefined ? {} : { key: files.key }),
      ...(earlier === undefined ? {} : { session: earlier.session }),
      minVersion: "TLSv1.2",
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION, // whoever was checked is who stays
      rejectUnauthorized: true, // whatever NODE_TLS_REJECT_UNAUTHORIZED says
      checkServerIdentity: (_, shown) => checkNames(names, shown),
    });
  } catch (cause) {
    throw explained(cause);
  } finally {
    files.key?.fill(0);
  }
  // Before Node's own listener gives its verdict and drops the certificate: the words about a fault want to name what it carries.
  socket.prependOnceListener("secure", () => void (certificate = socket.getPeerX509Certificate()));
  let ticket: Buffer | undefined;
  let verified: Verified | undefined;
  socket.on("session", (session) => {
    ticket = session; // TLS 1.2: before the handshake is done. TLS 1.3: some time after.
    if (verified !== undefined) memory.sessions.keep(hub.label, session, verified);
  });
  try {
    await untilSecured(socket, signal);
    if (!socket.isSessionReused()) assertPinned(hub.label, options?.pinnedSpki ?? [], certificate);
    // Only here, behind every check, may the session be kept; a resumed one inherits what its full handshake has shown.
    verified = verifiedBy(socket.isSessionReused() ? earlier : undefined, identity, certificate, memory.clock);
    if (verified !== undefined && ticket !== undefined) memory.sessions.keep(hub.label, ticket, verified);
    return socket;
  } catch (cause) {
    socket.on("error", () => undefined); // what comes after the first fault says nothing new
    socket.destroy();
    memory.sessions.forget(hub.label);
    signal.throwIfAborted();
    if (cause instanceof PetioleError) throw cause;
    if (isAboutName(cause)) memory.leaveNameAway(hub.label);
    throw explained(cause);
  }
}

function wayOf(hub: SecureHub, options: TlsOptions | null): TlsWay {
  if (hub.isWebSocket) return "websocket";
  return options?.handshakeFirst ? "first" : "after-info";
}

/** The names of which the hub's certificate must carry one, and what goes out as SNI. */
function namesOf(
  hub: SecureHub,
  options: TlsOptions | null,
  memory: TlsMemory,
): { names: readonly string[]; sni: string | null } {
  const alone = (name: string) => ({ names: [name], sni: isIP(name) === 0 ? name : null });
  if (options !== null && options.serverName !== null) return alone(options.serverName);
  const borrowed = hub.borrowedName ?? null;
  if (isIP(hub.host) === 0 || borrowed === null || !memory.mayBorrow(hub.label)) return alone(hub.host);
  return { names: [hub.host, borrowed], sni: borrowed };
}

/** Only asked in full handshakes. One of the names is enough. */
function checkNames(names: readonly string[], shown: tls.PeerCertificate): Error | undefined {
  const faults = names.map((name) => tls.checkServerIdentity(name, shown));
  return faults.includes(undefined) ? undefined : faults[0];
}

/** The hub wants another SNI, or shows a certificate for it: as nats-server does, without the borrowed name the next time. */
function isAboutName(cause: unknown): boolean {
  return /ALTNAME_INVALID|UNRECOGNIZED_NAME/.test(systemCode(cause) ?? "");
}

/** Resolves when the handshake is done and Node has found chain and name in order. */
async function untilSecured(socket: tls.TLSSocket, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onEnd = () => reject(streamEnded());
  const onAbort = () => {
    reject(signal.reason);
    socket.destroy();
  };
  socket.once("secureConnect", resolve).once("error", reject).once("close", onEnd);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await promise;
    if (socket.destroyed) throw socket.errored ?? streamEnded();
    assert(socket.authorized, "a handshake that Node calls done is one whose certificate it has found in order");
  } finally {
    socket.off("secureConnect", resolve).off("error", reject).off("close", onEnd);
    signal.removeEventListener("abort", onAbort);
  }
}

function streamEnded(): Error {
  return Object.assign(new Error("the stream ended"), { code: "ECONNRESET" });
}

function assertPinned(hub: string, pins: readonly string[], certificate: X509Certificate | undefined): void {
  if (pins.length === 0) return;
  const spki = certificate?.publicKey.export({ type: "spki", format: "der" });
  const found = spki === undefined ? "none" : createHash("sha256").update(spki).digest("hex");
  if (pins.includes(found)) return;
  throw new PetioleError(
    LEAF_TLS_PIN,
    `hub ${hub}: its certificate is valid, but its public key ${found} is none of tls.pinned_spki; ` +
      "if the hub has a new key, add it there; if not, somebody is between us and the hub",
    { remedy: "backoff" },
  );
}

/** undefined: a session whose origin is unknown, which is not kept. */
function verifiedBy(
  earlier: Verified | undefined,
  identity: string,
  certificate: X509Certificate | undefined,
  clock: Clock,
): Verified | undefined {
  if (earlier !== undefined) return { identity, at: earlier.at, certificateEnds: earlier.certificateEnds };
  if (certificate === undefined) return undefined;
  return { identity, at: clock.now(), certificateEnds: certificate.validToDate.getTime() };
}
