// What goes back to the browser, and the headers that every answer has.

import type { Json } from "#base/schema.ts";
import type { WebRefusal } from "./errors.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: string | Buffer;
}

/** Nothing from elsewhere, nothing inline, nobody's frame. */
const CONTENT_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export const SECURITY_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  "Content-Security-Policy": CONTENT_POLICY,
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()",
});

export function jsonAnswer(
  status: number,
  value: Json | object,
  headers: Readonly<Record<string, string | number>> = {},
): Answer {
  return {
    status,
    headers: { "Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store", ...headers },
    body: `${JSON.stringify(value)}\n`,
  };
}

export function refusalAnswer({ status, code, message, faults, headers }: WebRefusal): Answer {
  const rest = faults.length === 0 ? {} : { faults };
  return jsonAnswer(status, { error: { code, message }, ...rest }, headers);
}
