// The session's cookie. Over HTTPS its name begins with `__Host-`, which no other host and no plain page can set.

import type { IncomingMessage } from "node:http";

/** Cookies of the name that are looked at: one planted beside ours must not hide it. */
const TOKENS_MAX = 4;

export function sessionCookie(token: string, isSecure: boolean): string {
  return `${nameOf(isSecure)}=${token}; Path=/; HttpOnly; SameSite=Strict${isSecure ? "; Secure" : ""}`;
}

export function clearedCookie(isSecure: boolean): string {
  return `${sessionCookie("", isSecure)}; Max-Age=0`;
}

export function tokensIn(request: IncomingMessage, isSecure: boolean): readonly string[] {
  const head = `${nameOf(isSecure)}=`;
  return (request.headers.cookie ?? "")
    .split(";")
    .map((each) => each.trim())
    .filter((each) => each.startsWith(head) && each.length > head.length)
    .slice(0, TOKENS_MAX)
    .map((each) => each.slice(head.length));
}

function nameOf(isSecure: boolean): string {
  return isSecure ? "__Host-petiole" : "petiole";
}
