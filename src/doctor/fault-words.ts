// A fault of the daemon's own parts, taken apart for the doctor: what is the matter before the first semicolon, what to do behind it.
// That is how the parts write their sentences (uplink/tls-faults.ts, rejection.ts, proxy.ts …), so the doctor needs none of its own.

import { diskWords } from "#base/disk-words.ts";
import { explain, PetioleError, systemCode } from "#base/errors.ts";
import { LEAF_CREDENTIALS, LEAF_DIAL_FAILED } from "#uplink/errors.ts";
import { DOCTOR_STEP_FAILED } from "./errors.ts";
import type { Trouble } from "./finding.ts";

const REMEDY_UNKNOWN = "try again; if it stays, send this result to whoever looks after the device";
const DEPTH_MAX = 8;
/** The dialer's word for an address that did not answer (uplink/dialer.ts). */
const NO_ANSWER = /no answer/;

export function troubleOf(error: unknown): Trouble {
  const code = error instanceof PetioleError ? error.code : DOCTOR_STEP_FAILED;
  const detail = detailOf(error);
  if (code === LEAF_DIAL_FAILED) return dialTrouble(error as PetioleError, detail);
  if (code === LEAF_CREDENTIALS && error instanceof Error) {
    const login = loginTrouble(error);
    if (login !== undefined) return { code, detail, ...login };
    const disk = diskWords(error.cause);
    if (disk !== undefined) return { code, detail, cause: `${error.message}: it ${disk.found}`, remedy: disk.remedy };
  }
  // A TLS fault's cause is the bare code of what its sentence says already (tls-faults.ts, `briefly`).
  const text = error instanceof PetioleError ? error.message : explain(error);
  return { code, detail, ...apart(text) };
}

/** Cut at the first semicolon. */
export function apart(sentence: string): { readonly cause: string; readonly remedy: string } {
  const at = sentence.indexOf("; ");
  return at < 0 ? { cause: sentence, remedy: REMEDY_UNKNOWN } : { cause: sentence.slice(0, at), remedy: sentence.slice(at + 2) };
}

/** A refusal that the file with our keys explains: the hub's words, then what the file shows (credentials.ts, explainRejectedLogin). */
function loginTrouble({ message, cause }: Error): Pick<Trouble, "cause" | "remedy"> | undefined {
  if (!(cause instanceof PetioleError) || !message.startsWith(`${cause.message}: `)) return undefined;
  const said = apart(cause.message);
  const shown = apart(message.slice(cause.message.length + 2));
  return { cause: `${said.cause}: ${shown.cause}`, remedy: shown.remedy };
}

function dialTrouble(error: PetioleError, found: string | null): Trouble {
  const { code } = error;
  const text = explain(error);
  // The dialer tells of several addresses at once, each with its code in brackets: the first one counts.
  const inText = /\((E[A-Z]+)\)/.exec(text)?.[1];
  const isDns = /: DNS /.test(text) || /DNS server/.test(text);
  const detail = inText ?? (NO_ANSWER.test(text) ? "ETIMEDOUT" : found);
  if (isDns && inText === undefined) return { code, detail: "DNS", ...apart(text) };
  const { cause, remedy } = apart(text);
  if (detail === null || detail === code) return { code, detail, cause, remedy };
  return { code, detail, cause: text, remedy: DIAL_REMEDIES[detail] ?? "check the address, the network and the firewall" };
}

const NETWORK = "see that the cable or the radio is connected and that this device has an address and a gateway";
const DIAL_REMEDIES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "check address and port, that the hub runs, and that its leafnodes block listens there",
  ETIMEDOUT: "check the address; if it is right, a firewall on the way or the provider drops this port: have it opened",
  EHOSTUNREACH: NETWORK,
  ENETUNREACH: NETWORK,
  ENETDOWN: NETWORK,
  EADDRNOTAVAIL: NETWORK,
  EACCES: "allow the connection in this device's firewall (petiole firewall show)",
  EPERM: "allow the connection in this device's firewall (petiole firewall show)",
};

/** The system's own code at the bottom of a fault. */
export function detailOf(error: unknown): string | null {
  let found: string | null = null;
  let at: unknown = error;
  for (let depth = 0; at instanceof Error && depth < DEPTH_MAX; depth++) {
    const code = systemCode(at);
    if (code !== undefined && !(at instanceof PetioleError)) found = code;
    at = at.cause;
  }
  return found;
}
