// The hub's certificates as they are shown, and what the daemon's own handshake says of them.

import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { isFault, PetioleError } from "#base/errors.ts";
import type { ByteStream } from "#base/net.ts";
import { instantText } from "#base/wall-clock.ts";
import { LEAF_TIMEOUT } from "#uplink/errors.ts";
import { discard } from "#uplink/http-exchange.ts";
import { parseInfo } from "#uplink/hub-info.ts";
import { timeoutText } from "#uplink/phase-words.ts";
import { nameToBorrow, readTlsFiles } from "#uplink/secure.ts";
import { DOCTOR_CERTIFICATE_ENDS } from "../errors.ts";
import { detailOf, troubleOf } from "../fault-words.ts";
import { broken, type Draft, fine, skipped, warning } from "../finding.ts";
import { eachHub } from "../hub/each-hub.ts";
import { hear } from "../hub/hear.ts";
import type { HubCase } from "../hub/hub-case.ts";
import { certificateShown, lookAtTls } from "../hub/seen-certificates.ts";
import type { Probe } from "../probe.ts";
import type { Facts } from "../report.ts";
import type { Step } from "../scene.ts";
import { within } from "../within.ts";

/** A certificate that ends sooner is worth a word now. */
const SOON_MS = 14 * 24 * 3_600_000;
/** Behind the handshake: a hub that does not like our certificate, or our having none, says so only then (TLS 1.3). */
const VERDICT_MS = 300;

export const certificateStep: Step = {
  id: "certificate",
  title: "TLS and certificates",
  run: (scene, signal) => eachHub(scene, (hub) => examine(hub, scene.probe, signal)),
};

async function examine(hub: HubCase, probe: Probe, signal: AbortSignal): Promise<readonly Draft[]> {
  const wantsTls =
    hub.tlsWay === "first" || hub.tlsWay === "required" || (hub.tlsWay === "if-asked" && hub.info?.tlsRequired === true);
  if (!wantsTls) return [skipped(hub, "no TLS here: neither the settings nor the hub ask for it")];
  const chain = await lookAt(hub, probe, signal);
  const facts: Facts = { chain: chain.map(certificateShown) };
  try {
    await shake(hub, probe, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) throw error;
    hub.endedAt = "certificate";
    return [broken(hub, troubleOf(error), facts)];
  }
  return [judge(hub, chain, probe, facts)];
}

function judge(hub: HubCase, chain: readonly X509Certificate[], probe: Probe, facts: Facts): Draft {
  const wall = probe.env.clock.wall();
  const first = [...chain].sort((a, b) => a.validToDate.getTime() - b.validToDate.getTime())[0];
  if (first === undefined) return fine(hub, "the TLS handshake succeeds", facts);
  const ends = first.validToDate.getTime();
  if (ends - wall < SOON_MS)
    return warning(
      hub,
      {
        code: DOCTOR_CERTIFICATE_ENDS,
        cause: `a certificate of hub ${hub.target} ends on ${instantText(ends)}`,
        remedy: "have it renewed at the hub before that day; the link ends with it",
      },
      facts,
    );
  return fine(hub, `the certificate is good until ${instantText(ends)}, and somebody we trust vouches for it`, facts);
}

/** Without judging; empty where there is nothing to see. */
async function lookAt(hub: HubCase, probe: Probe, signal: AbortSignal): Promise<readonly X509Certificate[]> {
  const { remote, choice } = hub;
  try {
    return await during(hub, probe, signal, async (inner) => {
      const files = await readTlsFiles(probe.env.disk, probe.dataDir, remote.tls, probe.env.log);
      const stream = await connect(hub, probe, inner);
      try {
        const name =
          remote.tls?.serverName ?? (isIP(choice.tlsHost) === 0 ? choice.tlsHost : (nameToBorrow(remote.urls) ?? choice.tlsHost));
        const { socket, chain } = await lookAtTls(stream, { name, cert: files.cert, key: files.key }, inner);
        socket.destroy();
        return chain;
      } finally {
        files.key?.fill(0);
        discard(stream);
      }
    });
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) throw error;
    return []; // the handshake itself says why
  }
}

/** The daemon's own handshake. Throws in its words. */
async function shake(hub: HubCase, probe: Probe, signal: AbortSignal, tries = 1): Promise<void> {
  const { remote, choice, transport } = hub;
  try {
    await during(hub, probe, signal, async (inner) => {
      const files = await readTlsFiles(probe.env.disk, probe.dataDir, remote.tls, probe.env.log);
      const stream = await connect(hub, probe, inner);
      const { clock } = probe.env;
      const startedAt = clock.now();
      const secured = await transport.secure(stream, choice, files, inner).catch((error: unknown) => {
        discard(stream); // a key that does not fit ends it before there is a handshake
        throw error;
      });
      const handshake = clock.now() - startedAt; // a round trip at least
      secured.on("error", () => undefined);
      try {
        const { hasEnded, fault, bytes } = await hear(secured, VERDICT_MS + 2 * handshake, clock, inner);
        if (!hasEnded || bytes.length > 0) return;
        const at = { wantsCertificate: hub.info?.wantsCertificate ?? false, isJoined: false };
        if (fault === undefined && !at.wantsCertificate) return; // the login tells what it has against us
        throw transport.explain(fault ?? new Error("closed"), choice, at);
      } finally {
        discard(secured);
      }
    });
  } catch (error) {
    // As the daemon: a name borrowed from another URL is left away the next time.
    const isAboutName = /ALTNAME_INVALID|UNRECOGNIZED_NAME/.test(detailOf(error) ?? "");
    if (!isAboutName || tries > 1 || isIP(choice.tlsHost) === 0 || remote.tls?.serverName != null) throw error;
    await shake(hub, probe, signal, tries + 1);
  }
}

/** Up to where TLS begins: at once, or behind INFO. */
async function connect(hub: HubCase, probe: Probe, signal: AbortSignal): Promise<ByteStream> {
  const stream = await hub.transport.connect(hub.choice, signal);
  stream.on("error", () => undefined); // the handshake reports it
  if (hub.tlsWay === "first") return stream;
  try {
    const { bytes } = await hear(stream, probe.limits.phase, probe.env.clock, signal);
    const json = /^INFO +(\{.*\})/m.exec(bytes.toString("latin1"))?.[1];
    if (json !== undefined) hub.info = parseInfo(json);
    return stream;
  } catch (error) {
    discard(stream); // it hangs, or its INFO is none
    throw error;
  }
}

async function during<T>(hub: HubCase, probe: Probe, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { clock } = probe.env;
  const limit = probe.limits.phase;
  const at = { at: "securing", attempt: 0, deadline: 0, next: "joining" } as const;
  const late = () => new PetioleError(LEAF_TIMEOUT, timeoutText(at, hub.target, limit, []));
  return await within({ clock, limit, signal, late }, work);
}
