// By which door a connection came, and what the way there told of it. Every door hands the broker a stream of MQTT bytes.

import type { CertificateNames } from "#access/certificate-names.ts";
import { NO_VISIT, type Visit } from "#doors/address-quotas.ts";
import type { TlsFacts } from "#doors/tls-facts.ts";

export type MqttDoor = "tcp" | "tls" | "ws" | "wss";

export interface DoorFacts {
  readonly door: MqttDoor;
  /**
   * The names in its verified certificate, where they say who comes (verify_and_map): the client is the user whom they name, and
   * no other. null: a user and a password say who comes.
   */
  readonly certificateNames: CertificateNames | null;
  /** For the monitor; null: there was no TLS. */
  readonly tls: TlsFacts | null;
  /** The broker says `admit` when it lets the client in, and `leave` when the connection is closed. */
  readonly visit: Visit;
}

/** Of a plain TCP connection whose address is not counted. */
export const PLAIN: DoorFacts = Object.freeze({ door: "tcp", certificateNames: null, tls: null, visit: NO_VISIT });
