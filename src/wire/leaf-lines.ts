// The lines a spoke sends on a leaf connection. Grammar: spec/leafnode-protocol.md §§5, 9–11.

import type { WireWriter } from "./wire-writer.ts";

/** What a spoke says of itself; empty fields are left out on the wire (spec §5). */
export interface LeafConnect {
  /** The nats-server version we are compatible with: hubs compare it with their `min_version`. */
  readonly version: string;
  readonly name: string;
  readonly cluster: string;
  readonly headers: true;
  readonly remote_account: string;
  readonly compress_mode: string;
  readonly protocol: 1;
  readonly isolate?: true;
  readonly deny_pub?: readonly string[];
  readonly user?: string;
  readonly pass?: string;
  readonly auth_token?: string;
  readonly jwt?: string;
  readonly nkey?: string;
  /** Signature of the nonce, base64url. */
  readonly sig?: string;
}

export function writeConnect(out: WireWriter, connect: LeafConnect): void {
  out.text(`CONNECT ${Buffer.from(JSON.stringify(connect), "utf8").toString("latin1")}\r\n`);
}

/** Asks for S2 both ways; nothing may follow it in the same write (spec §7.3). */
export function writeCompressionRequest(out: WireWriter, mode: string): void {
  out.text(`INFO ${JSON.stringify({ compression: mode })}\r\n`);
}

export function writePing(out: WireWriter): void {
  out.text("PING\r\n");
}

export function writePong(out: WireWriter): void {
  out.text("PONG\r\n");
}

export function writeError(out: WireWriter, text: string): void {
  out.text(`-ERR '${text}'\r\n`);
}

/** Announces interest; a queue group carries the number of its local members as weight (spec §10.1). */
export function writeInterest(out: WireWriter, filter: string, queue: string | null, members: number): void {
  out.text(queue === null ? `LS+ ${filter}\r\n` : `LS+ ${filter} ${queue} ${members}\r\n`);
}

/** Withdraws interest; without a weight (spec §9). */
export function writeInterestGone(out: WireWriter, filter: string, queue: string | null): void {
  out.text(queue === null ? `LS- ${filter}\r\n` : `LS- ${filter} ${queue}\r\n`);
}

/** Tells a requestor at the hub that nobody is here to answer. Source: spec §11.5. */
export function writeNoResponders(out: WireWriter, reply: string): void {
  out.text(`HMSG ${reply} 16 16\r\nNATS/1.0 503\r\n\r\n\r\n`);
}

/**
 * What stands between the operation and the sizes of a message: `<subject> `, `<subject> <reply> `, `<subject> | <groups> ` or
 * `<subject> + <reply> <groups> `; `reply` is "" where there is none. The hub delivers to queue subscribers only of the groups
 * named here (spec §11.1).
 */
export function addressOf(subject: string, reply: string, groups: readonly string[]): string {
  if (groups.length === 0) return reply === "" ? `${subject} ` : `${subject} ${reply} `;
  return `${subject} ${reply === "" ? "|" : `+ ${reply}`} ${groups.join(" ")} `;
}
