// TLS on accepted connections: our certificate, the CA for clients' certificates, and handshakes by one unlistening TLS server.
//
//   accepted stream ─▶ renewed files? ─▶ handshake ─▶ secured stream
//
// Files are looked at again at most every 10 s, when somebody connects. Files that cannot be used leave those in use in use, and are
// told of. Limits on time are the listener's, who destroys streams that take too long.

import { X509Certificate } from "node:crypto";
import * as tls from "node:tls";
import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import { type Disk, readWhole } from "#base/disk.ts";
import { explain, PetioleError, systemCode } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import type { ByteStream } from "#base/net.ts";
import { DOOR_TLS_FILES } from "./errors.ts";
import { handshakeWords } from "./handshake-words.ts";

const LOOK_AGAIN_MS: Millis = 10_000;
const PEM_BYTES_MAX = 1024 * 1024;
/** What the runtime says of a connection that ends in the middle. */
const LEFT = "ECONNRESET";

export interface ServerTlsOptions {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string | null;
  readonly verify: boolean;
  /** As `verify`, and the certificate says who the client is. */
  readonly verifyAndMap: boolean;
}

interface Env {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Log;
}

interface Files {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | undefined;
}

interface Handshake {
  readonly stream: ByteStream;
  readonly resolve: (secured: ByteStream) => void;
  readonly reject: (fault: Error) => void;
}

export class ServerTls {
  readonly #options: ServerTlsOptions;
  /** Where it stands in the settings. */
  readonly #setting: string;
  readonly #env: Env;
  readonly #server: tls.Server;
  /** By the peer's address and port, which a secured stream shows as well. */
  readonly #underWay = new Map<string, Handshake>();
  #files: Files;
  #lookedAt: Millis;
  #look: Promise<void> | undefined;

  /** Throws DOOR_TLS_FILES. */
  static async open(options: ServerTlsOptions, setting: string, env: Env): Promise<ServerTls> {
    const files = await readFiles(options, setting, env.disk);
    try {
      return new ServerTls(options, setting, files, env);
    } catch (cause) {
      throw unusable(options, setting, cause);
    }
  }

  private constructor(options: ServerTlsOptions, setting: string, files: Files, env: Env) {
    this.#options = options;
    this.#setting = setting;
    this.#env = env;
    this.#files = files;
    this.#lookedAt = env.clock.now();
    const verify = this.isVerifying;
    this.#server = tls.createServer({ ...materialOf(files), requestCert: verify, rejectUnauthorized: verify });
    this.#server
      .on("secureConnection", (secured) => {
        secured.on("error", () => undefined); // until somebody else listens
        this.#finish(secured)?.resolve(secured);
      })
      .on("tlsClientError", (fault, secured) => this.#finish(secured)?.reject(fault));
  }

  get isVerifying(): boolean {
    return this.#options.verify || this.#options.verifyAndMap;
  }

  /** When our certificate ends. */
  get notAfter(): WallMillis {
    return new X509Certificate(this.#files.cert).validToDate.getTime();
  }

  get isMapping(): boolean {
    return this.#options.verifyAndMap;
  }

  /** The stream belongs to the result from then on. Rejects when the handshake fails or the stream ends. */
  async secure(stream: ByteStream): Promise<ByteStream> {
    const onEarlyFault = () => undefined; // it is found destroyed
    stream.on("error", onEarlyFault);
    await this.#lookForRenewed();
    stream.off("error", onEarlyFault);
    if (stream.destroyed) throw new Error("it left before the TLS handshake");
    const { promise, resolve, reject } = Promise.withResolvers<ByteStream>();
    const key = keyOf(stream);
    this.#underWay.set(key, { stream, resolve, reject });
    stream.once("close", () => reject(new Error(handshakeWords(LEFT, this.isVerifying))));
    this.#server.emit("connection", stream);
    try {
      return await promise;
    } finally {
      if (this.#underWay.get(key)?.stream === stream) this.#underWay.delete(key);
    }
  }

  /** Ends handshakes that are under way. */
  close(): void {
    for (const { stream } of this.#underWay.values()) stream.destroy();
  }

  #finish(secured: ByteStream): Handshake | undefined {
    const key = keyOf(secured);
    const handshake = this.#underWay.get(key);
    this.#underWay.delete(key);
    if (handshake === undefined) secured.destroy();
    return handshake;
  }

  #lookForRenewed(): Promise<void> {
    const { clock } = this.#env;
    if (clock.now() - this.#lookedAt >= LOOK_AGAIN_MS) {
      this.#lookedAt = clock.now();
      this.#look = this.#renew();
    }
    return this.#look ?? Promise.resolve();
  }

  /** Never rejects. */
  async #renew(): Promise<void> {
    const { disk, log } = this.#env;
    try {
      const files = await readFiles(this.#options, this.#setting, disk);
      if (isSame(files, this.#files)) return;
      try {
        this.#server.setSecureContext(materialOf(files));
      } catch (cause) {
        throw unusable(this.#options, this.#setting, cause);
      }
      this.#files = files;
      log.info("renewed TLS files are in use for new connections", { certificate: this.#options.certFile });
    } catch (error) {
      log.warn(`TLS files have changed and cannot be used, the earlier ones stay in use: ${explain(error)}`, {});
    }
  }
}

function keyOf({ remoteAddress, remotePort }: ByteStream): string {
  return `${remoteAddress} ${remotePort}`;
}

function materialOf({ cert, key, ca }: Files): tls.SecureContextOptions {
  return { cert, key, ...(ca === undefined ? {} : { ca }), minVersion: "TLSv1.2" };
}

function isSame(a: Files, b: Files): boolean {
  return a.cert.equals(b.cert) && a.key.equals(b.key) && (a.ca === undefined ? b.ca === undefined : b.ca?.equals(a.ca) === true);
}

async function readFiles({ certFile, keyFile, caFile }: ServerTlsOptions, setting: string, disk: Disk): Promise<Files> {
  const read = async (key: string, path: string): Promise<Buffer> => {
    let bytes: Buffer | undefined;
    try {
      bytes = await readWhole(disk, path, PEM_BYTES_MAX);
    } catch (cause) {
      const words = `${setting}.${key}: cannot read ${path} (${systemCode(cause) ?? explain(cause)})`;
      throw new PetioleError(DOOR_TLS_FILES, words, { remedy: "backoff", cause });
    }
    if (bytes?.includes("-----BEGIN ")) return bytes;
    const found = bytes === undefined ? `there is no file ${path}` : `${path} is not PEM`;
    throw new PetioleError(DOOR_TLS_FILES, `${setting}.${key}: ${found}; put it there or correct the path`, {
      remedy: "backoff",
    });
  };
  return {
    cert: await read("cert_file", certFile),
    key: await read("key_file", keyFile),
    ca: caFile === null ? undefined : await read("ca_file", caFile),
  };
}

function unusable({ certFile, keyFile }: ServerTlsOptions, setting: string, cause: unknown): PetioleError {
  const words = `${setting}: ${certFile} and ${keyFile} do not make a certificate and its key (${systemCode(cause) ?? "unknown"}); put both there anew`;
  return new PetioleError(DOOR_TLS_FILES, words, { remedy: "backoff", cause });
}
