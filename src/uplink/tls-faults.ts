// What goes wrong with TLS, in plain words with what to do about it. Pure: errors and facts in, sentences out.
//
// Three persons can mend it, hence the codes: LEAF_TLS_FAILED the hub's keeper (or a wrong setting here), LEAF_TLS_CLIENT whoever
// gives out our certificate, LEAF_TLS_CLOCK whoever stands before the device. LEAF_TLS_PIN: nobody, perhaps: somebody is in between.

import type { X509Certificate } from "node:crypto";
import type { WallMillis } from "#base/clock.ts";
import { PetioleError, type Remedy, systemCode } from "#base/errors.ts";
import { clockAdvice, instantText, isClockBelievable } from "#base/wall-clock.ts";
import { LEAF_CLOSED, LEAF_TLS_CLIENT, LEAF_TLS_CLOCK, LEAF_TLS_FAILED } from "./errors.ts";

export interface CertificateFacts {
  readonly begins: WallMillis;
  readonly ends: WallMillis;
  /** Names and addresses it is for. */
  readonly names: readonly string[];
  readonly issuer: string;
}

/** What is known of the handshake that failed. */
export interface Handshake {
  /** The names of which the hub's certificate must carry one. */
  readonly names: readonly string[];
  readonly wall: WallMillis;
  /** The hub's, if it came that far. */
  readonly certificate: CertificateFacts | null;
  readonly hasClientCertificate: boolean;
  readonly way: TlsWay;
}

/** When TLS begins: before anything else, behind INFO, or before HTTP (`wss://`). */
export type TlsWay = "first" | "after-info" | "websocket";

export interface TlsFault {
  readonly code: string;
  readonly remedy: Remedy;
  /** The end of a sentence: "hub X: …". */
  readonly words: string;
}

const WITHOUT_TLS: Readonly<Record<TlsWay, string>> = {
  first: "if it speaks TLS only after INFO, set tls.handshake_first to false, else check the port",
  "after-info": "check the port, and whether the hub's leafnodes block has a tls block",
  websocket: "check the port, and whether the hub's websocket block has a tls block",
};
const TLS_BEGINS: Readonly<Record<TlsWay, string>> = {
  first: "that it does TLS first (else set tls.handshake_first to false)",
  "after-info": "that it does TLS after INFO",
  websocket: "that it does TLS",
};
const NAMES_SHOWN_MAX = 5;
const NAME_CHARS_MAX = 80;

export function certificateFacts(certificate: X509Certificate): CertificateFacts {
  const names = (certificate.subjectAltName ?? "").split(", ").map((name) => name.replace(/^[A-Za-z ]+:/, ""));
  const commonName = /^CN=(.*)$/m.exec(certificate.subject ?? "")?.[1];
  return {
    begins: certificate.validFromDate.getTime(),
    ends: certificate.validToDate.getTime(),
    names: (certificate.subjectAltName === undefined ? [commonName ?? ""] : names).map(printable).filter((name) => name !== ""),
    issuer: printable((certificate.issuer ?? "").replaceAll("\n", ", ")),
  };
}

export function tlsFault(error: unknown, handshake: Handshake): TlsFault {
  const code = systemCode(error) ?? "";
  return (
    certificateFault(code, handshake) ??
    ownFilesFault(code) ??
    alertFault(code, handshake) ??
    silenceFault(code, handshake) ?? { code: LEAF_TLS_FAILED, remedy: "backoff", words: "the TLS handshake failed" }
  );
}

function certificateFault(code: string, { certificate, wall, names }: Handshake): TlsFault | undefined {
  const hubs = (words: string): TlsFault => ({ code: LEAF_TLS_FAILED, remedy: "backoff", words });
  switch (code) {
    case "CERT_HAS_EXPIRED": {
      const now = `(this device's clock: ${instantText(wall)})`;
      if (certificate !== null && certificate.ends > wall)
        return hubs(`a certificate that signed its certificate has expired ${now}; renew it, and tls.ca_file if it stands there`);
      const when = certificate === null ? "" : ` on ${instantText(certificate.ends)}`;
      return hubs(`its certificate has expired${when} ${now}; renew it at the hub, or set this device's clock`);
    }
    case "CERT_NOT_YET_VALID": {
      const when = certificate === null || certificate.begins <= wall ? "" : ` before ${instantText(certificate.begins)}`;
      if (!isClockBelievable(wall)) {
        const words = `its certificate is not valid yet${when}, but ${clockAdvice(wall)}`;
        return { code: LEAF_TLS_CLOCK, remedy: "backoff", words };
      }
      return hubs(
        `its certificate is not valid yet${when}; check this device's clock (${instantText(wall)}), else the hub's certificate`,
      );
    }
    case "ERR_TLS_CERT_ALTNAME_INVALID":
    case "HOSTNAME_MISMATCH": {
      const carried = certificate === null ? "" : `: it carries ${shown(certificate.names)}`;
      return hubs(
        `its certificate is for another name than ${names.join(" or ")}${carried}; dial a name that it carries, or set tls.server_name to one`,
      );
    }
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
      return hubs(
        "its certificate is self-signed, and nobody we trust vouches for it; set tls.ca_file to this very certificate or to a CA",
      );
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "CERT_SIGNATURE_FAILURE":
    case "CERT_UNTRUSTED": {
      const by = certificate === null ? "nobody" : `"${certificate.issuer}", which is nobody`;
      return hubs(`its certificate is signed by ${by} we trust; set tls.ca_file to the CA that signed it`);
    }
    case "CERT_REVOKED":
      return hubs("its certificate has been revoked; the hub needs another one");
    case "INVALID_PURPOSE":
      return hubs("its certificate is not one for servers; the hub needs one with the purpose serverAuth");
    case "INVALID_CA":
    case "PATH_LENGTH_EXCEEDED":
    case "CERT_CHAIN_TOO_LONG":
      return hubs("its certificate was signed by a certificate that may not sign; the CA must issue it anew");
    default:
      return undefined;
  }
}

function ownFilesFault(code: string): TlsFault | undefined {
  const ours = (words: string): TlsFault => ({ code: LEAF_TLS_CLIENT, remedy: "backoff", words });
  if (code === "ERR_OSSL_X509_KEY_VALUES_MISMATCH")
    return ours("tls.key_file is not the key of tls.cert_file; put the two together again");
  if (/PASSPHRASE|BAD_PASSWORD|CRYPTO_INTERRUPTED|BAD_DECRYPT/.test(code))
    return ours(
      "tls.key_file is encrypted, and there is nobody to type its passphrase; store the key without one (openssl pkey)",
    );
  if (/^ERR_OSSL_/.test(code))
    return ours("tls.key_file does not decode: it was cut off or is no private key; put it there anew");
  return undefined;
}

/** Alerts the hub sent, and bytes that are no TLS. OpenSSL's versions differ in how they begin these names. */
function alertFault(code: string, handshake: Handshake): TlsFault | undefined {
  if (!code.startsWith("ERR_SSL_")) return undefined;
  const client = clientAlert(code, handshake.hasClientCertificate);
  if (client !== undefined) return { code: LEAF_TLS_CLIENT, remedy: "backoff", words: client };
  return { code: LEAF_TLS_FAILED, remedy: "backoff", words: recordWords(code, handshake) };
}

function recordWords(code: string, { way, names }: Handshake): string {
  if (/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/.test(code)) return "it speaks only TLS older than 1.2; update the hub";
  if (/HANDSHAKE_FAILURE|NO_SHARED_CIPHER|INSUFFICIENT_SECURITY|NO_CIPHERS/.test(code))
    return "it shares no cipher with us; look at cipher_suites in the hub's tls block";
  if (/UNRECOGNIZED_NAME/.test(code))
    return `it has no certificate for the name ${names[0]}; dial a name it has, or set tls.server_name`;
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|RECORD_TOO_|UNEXPECTED_MESSAGE|RECORD_LAYER|LENGTH_/.test(code)) {
    return `it answers without TLS; ${WITHOUT_TLS[way]}`;
  }
  return "the TLS handshake failed";
}

/** What the hub has against our certificate, or against our having none. */
function clientAlert(code: string, hasOne: boolean): string | undefined {
  const isAboutClient =
    /ALERT_(BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_|UNKNOWN_CA|ACCESS_DENIED|NO_CERTIFICATE)/.test(code);
  if (!isAboutClient && !/CERTIFICATE_REQUIRED/.test(code)) return undefined;
  if (!hasOne) return "it wants a certificate from us, and we have none; set tls.cert_file and tls.key_file";
  if (/CERTIFICATE_EXPIRED/.test(code)) return "it says that our certificate (tls.cert_file) has expired; get a new one";
  if (/CERTIFICATE_REVOKED/.test(code)) return "it says that our certificate (tls.cert_file) was revoked; get a new one";
  if (/UNKNOWN_CA/.test(code))
    return "it does not know the CA that signed our certificate (tls.cert_file); its ca_file must have it";
  return "it does not accept our certificate (tls.cert_file): signed by another CA than the hub's ca_file has, or not one for clients";
}

function silenceFault(code: string, { way, hasClientCertificate }: Handshake): TlsFault | undefined {
  if (["EPIPE", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH"].includes(code))
    return { code: LEAF_TLS_FAILED, remedy: "retry", words: "the network failed during the TLS handshake" };
  if (code !== "ECONNRESET") return undefined;
  const checks = [
    TLS_BEGINS[way],
    "the port",
    ...(hasClientCertificate ? ["that it accepts our certificate (pinned_certs)"] : []),
  ];
  return {
    code: LEAF_TLS_FAILED,
    remedy: "retry", // a network that failed heals by itself, and looks the same
    words: `the connection ended during the TLS handshake; if that goes on, check ${checks.join(", ")}`,
  };
}

/** Where a secured link stood when its stream failed or ended. */
export interface SecuredStream {
  /** The hub's URL, for people. */
  readonly hub: string;
  readonly hasClientCertificate: boolean;
  /** INFO said `tls_verify`, as far as it was seen. */
  readonly wantsCertificate: boolean;
  /** The hub has answered CONNECT: what comes later is no matter of TLS any more. */
  readonly isJoined: boolean;
}

/**
 * What the end of a secured link's stream means: under TLS 1.3 the hub judges our certificate after our side of the handshake is
 * done, so its verdict comes as an error of the stream or, where its farewell was lost, as a mere end. `error` is the stream's own
 * fault, LEAF_CLOSED around it, or null for a mere end. undefined: nothing to do with TLS.
 */
export function explainStreamFault(error: unknown, at: SecuredStream): PetioleError | undefined {
  if (error instanceof PetioleError && error.code !== LEAF_CLOSED) return undefined;
  const fault = error instanceof PetioleError ? error.cause : error;
  const code = systemCode(fault) ?? "";
  const make = (kind: string, words: string) =>
    new PetioleError(kind, `hub ${at.hub}: ${words}`, { remedy: "backoff", ...(fault == null ? {} : { cause: briefly(fault) }) });
  const alert = clientAlert(code, at.hasClientCertificate);
  if (alert !== undefined) return make(LEAF_TLS_CLIENT, alert);
  if (code.startsWith("ERR_SSL_"))
    return make(
      LEAF_TLS_FAILED,
      "what came from it was no TLS, or damaged on the way; if that goes on, check for a proxy in between",
    );
  if (at.isJoined || !(fault == null || ["ECONNRESET", "EPIPE"].includes(code))) return undefined;
  if (at.wantsCertificate && !at.hasClientCertificate)
    return make(LEAF_TLS_CLIENT, "it wants a certificate from us, and we have none; set tls.cert_file and tls.key_file");
  if (!at.hasClientCertificate) return undefined;
  return make(
    LEAF_CLOSED,
    "it closed the connection right behind the TLS handshake; if that goes on, see whether it accepts our certificate (its ca_file, pinned_certs)",
  );
}

/** The fault by its code alone: OpenSSL's own text is a trace for its programmers, Node's gives advice for Node's users. */
export function briefly(error: unknown): unknown {
  const code = systemCode(error);
  return code === undefined ? error : Object.assign(new Error(code), { code });
}

function shown(names: readonly string[]): string {
  if (names.length === 0) return "no name at all";
  const more = names.length > NAMES_SHOWN_MAX ? ` and ${names.length - NAMES_SHOWN_MAX} more` : "";
  return names.slice(0, NAMES_SHOWN_MAX).join(", ") + more;
}

/** A certificate is an outsider's text: it must not forge lines of a log, nor fill it. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, NAME_CHARS_MAX);
}
