// Why a TLS handshake with somebody who came to us failed, for the log: the code of OpenSSL or Node, and what to do.

const NO_TLS = "it does not speak TLS, which this port wants; set it to TLS, or to a port without";

const WORDS: Readonly<Record<string, string>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  ERR_SSL_HTTP_REQUEST: "it speaks plain HTTP, and this port wants TLS",
  ERR_SSL_HTTPS_PROXY_REQUEST: "it speaks plain text, and this port wants TLS",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "its version of TLS is older than 1.2; renew its software",
  ERR_SSL_NO_SHARED_CIPHER: "it knows none of our ciphers; renew its software",
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "it shows no certificate, and this port wants one (verify)",
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: "it does not trust our certificate; give it the CA that made it",
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: "it does not take our certificate; give it the CA that made it, and look at its clock",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: "it says that our certificate has ended; renew it, or look at the client's clock",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: "it does not take our certificate; give it the CA that made it",
};

/** `verifies`: clients must show a certificate, and the runtime resets the connection of one that does not hold. */
export function handshakeWords(code: string, verifies: boolean): string {
  const words = WORDS[code];
  if (words !== undefined) return `${words} (${code})`;
  if (code !== "ECONNRESET") return code;
  return verifies
    ? "it left in the middle of the TLS handshake, or its certificate is not of the CA in ca_file or not valid today (ECONNRESET)"
    : "it left in the middle of the TLS handshake (ECONNRESET)";
}
