// The address of an HTTP proxy: http://host:port (DESIGN §3.4 `proxy`).

import type { Endpoint } from "#base/net.ts";
import type { Parsed, Schema } from "#base/schema.ts";
import { parsedText } from "#base/schema-text.ts";

export interface ProxyUrl {
  readonly endpoint: Endpoint;
  /** For people and logs. */
  readonly text: string;
}

export function proxyUrl(): Schema<ProxyUrl> {
  return parsedText('a URL such as "http://proxy.example.com:3128"', { hidesUserInfo: true, bytesMax: 2048 }, parseProxyUrl);
}

export function parseProxyUrl(text: string): Parsed<ProxyUrl> {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return { fault: { remedy: "write it as http://host:port", found: "a URL that does not parse" } };
  }
  if (url.protocol !== "http:")
    return { fault: { remedy: "only http:// proxies are supported", found: `the scheme "${url.protocol.slice(0, -1)}"` } };
  if (url.username !== "" || url.password !== "")
    return { fault: { remedy: "use the keys username and password", found: "a login in the URL" } };
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "")
    return { fault: { remedy: "leave out what follows the port", found: "a URL with a path" } };
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = url.port === "" ? 80 : Number(url.port);
  if (port === 0) return { fault: { remedy: "ports go from 1 to 65535", found: "port 0" } };
  return { value: Object.freeze({ endpoint: Object.freeze({ host, port }), text: `http://${url.hostname}:${port}` }) };
}
