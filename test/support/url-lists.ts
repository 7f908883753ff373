// Lists of three URLs, as a remote's settings make them, and what is dialed of them.

import assert from "node:assert/strict";
import { LEAF_AUTH_REJECTED, LEAF_DIAL_FAILED } from "#uplink/errors.ts";
import { parseRemoteUrl, type RemoteUrl } from "#uplink/remote-url.ts";
import { UrlList, type UrlListOptions } from "#uplink/url-list.ts";
import { seededRandom } from "./seeded-random.ts";

export function urlOf(text: string): RemoteUrl {
  const parsed = parseRemoteUrl(text);
  assert.ok("value" in parsed, JSON.stringify(parsed));
  return parsed.value;
}

export const DEFAULTS = { noRandomize: true, ignoreDiscoveredServers: false, reconnect: { returnToFirst: null } };
export const [A, B, C] = [urlOf("tls://a.example:7422"), urlOf("tls://b.example:7422"), urlOf("tls://c.example:7422")];
export const GONE = { code: LEAF_DIAL_FAILED, message: "cannot reach it" };
export const REJECTED = { code: LEAF_AUTH_REJECTED, message: "wrong password" };
export const entropy = { random: seededRandom(7) };

export function listOf(urls: readonly RemoteUrl[], options: Partial<UrlListOptions> = {}): UrlList {
  return new UrlList({ urls, ...DEFAULTS, ...options }, entropy);
}

/** The next `count` URLs, each failing as it is tried: "a b c". */
export function tries(list: UrlList, count: number, failure = GONE): string {
  const names: string[] = [];
  for (let i = 0; i < count; i++) {
    const { url } = list.next(i);
    names.push(url.endpoint.host.replace(".example", ""));
    list.onFailed(url, i, failure);
  }
  return names.join(" ");
}
