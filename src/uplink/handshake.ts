// The steps from a URL to a hub that knows us, each on the attempt it belongs to. Which comes when: link-state.ts.
//
//   dial ─▶ [secure] ─▶ [upgrade] ─▶ INFO ─▶ [secure] ─▶ [sendCompression] ─▶ sendConnect
//
// Credentials leave in one place, `sendConnect`, which runs only behind the state machine's TLS rule.

import { assert } from "#base/assert.ts";
import type { ByteStream } from "#base/net.ts";
import { writeCompressionRequest, writeConnect } from "#wire/leaf-lines.ts";
import type { Attempt } from "./attempt.ts";
import { CompressedStream } from "./compressed-stream.ts";
import { type ConnectionEvents, LeafConnection } from "./connection.ts";
import { readSigner } from "./credentials.ts";
import { connectFor } from "./introduction.ts";
import type { LinkEnv, LinkIdentity } from "./link-events.ts";
import { wantsTls } from "./link-rules.ts";
import type { RemoteOptions } from "./options.ts";
import { readTlsFiles } from "./secure.ts";
import type { Transport } from "./transport.ts";

export class Handshake {
  readonly #remote: RemoteOptions;
  readonly #identity: LinkIdentity;
  readonly #env: LinkEnv;
  readonly #transport: Transport;

  constructor(remote: RemoteOptions, identity: LinkIdentity, env: LinkEnv, transport: Transport) {
    this.#remote = remote;
    this.#identity = identity;
    this.#env = env;
    this.#transport = transport;
  }

  /** Reads what the later steps need and opens the connection. Throws what is wrong with a file or the way; anything once aborted. */
  async dial(attempt: Attempt, events: ConnectionEvents): Promise<void> {
    const { signal } = attempt;
    const { text: hub, isWebSocket } = attempt.choice.url;
    const { dataDir } = this.#identity;
    // Files first: between INFO and CONNECT the hub gives us two seconds (spec §2.2).
    attempt.signer = await readSigner(this.#remote, dataDir, this.#env, isWebSocket);
    attempt.tlsFiles = await readTlsFiles(this.#env.disk, dataDir, this.#remote.tls, this.#env.log);
    signal.throwIfAborted();
    const stream = await this.#transport.connect(attempt.choice, signal);
    if (signal.aborted) {
      stream.destroy();
      return;
    }
    const options = { hub, flushDelay: this.#remote.flushDelay };
    attempt.connection = new LeafConnection(stream, options, this.#env.clock, events);
  }

  async secure(attempt: Attempt): Promise<void> {
    await replaceStream(attempt, async (stream) => {
      const secured = await this.#transport.secure(stream, attempt.choice, attempt.tlsFiles!, attempt.signal);
      attempt.isTls = true;
      return secured;
    });
  }

  async upgrade(attempt: Attempt): Promise<void> {
    await replaceStream(attempt, async (stream) => {
      const upgraded = await this.#transport.upgrade(stream, attempt.choice, attempt.signal);
      attempt.isDeflated = upgraded.isDeflated;
      attempt.connection!.countBy(upgraded.stream.wire);
      return upgraded.stream;
    });
  }

  sendCompression(attempt: Attempt): void {
    const connection = attempt.connection!;
    const announce = attempt.agreement.announce!;
    writeCompressionRequest(connection.out, announce);
    connection.flushNow(); // alone in its write (spec §7.3)
    const took = this.#env.clock.now() - attempt.startedAt; // all we know of the round trip yet, as on the hub (spec §7.7)
    connection.compress(new CompressedStream(this.#env.codec, announce, this.#remote.compression.rttThresholds, took));
  }

  sendConnect(attempt: Attempt): void {
    const connection = attempt.connection!;
    const { url } = attempt.choice;
    assert(attempt.isTls || !wantsTls(this.#remote, url), "credentials must not leave in clear");
    const signed = attempt.signer?.login(attempt.info!.nonce) ?? {};
    const { compressMode } = attempt.agreement;
    writeConnect(connection.out, connectFor(this.#remote, url, this.#identity.serverName, compressMode, signed));
    connection.flushNow();
  }
}

/** Does something on the connection's stream, and goes on with what comes of it. A stream that fails is destroyed. */
async function replaceStream(attempt: Attempt, handshake: (stream: ByteStream) => Promise<ByteStream>): Promise<void> {
  const connection = attempt.connection!;
  const { signal } = attempt;
  const stream = connection.detach();
  stream.on("error", ignore); // the handshake reports it; a bare stream without a listener would end the process
  const destroy = () => stream.destroy();
  signal.addEventListener("abort", destroy, { once: true });
  try {
    connection.attach(await handshake(stream));
  } catch (error) {
    stream.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", destroy);
  }
}

function ignore(): void {
  // said elsewhere
}
