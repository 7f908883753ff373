// Which web pages may come by WebSocket. A browser says where a page is from (Origin), and any page on the Internet can try to reach a
// port of its visitor's network. Programs that are no web pages send no Origin, or any, and are judged by their login alone.
// Source: RFC 6455 §10.2; the two rules are nats-server's same_origin and allowed_origins, and both must agree.

export interface WebOrigin {
  /** `https:` */
  readonly scheme: string;
  readonly host: string;
  readonly port: string;
}

export interface OriginRules {
  readonly sameOrigin: boolean;
  readonly allowedOrigins: readonly WebOrigin[];
}

/** Undefined: it is none, `null` included, which is what a page from nowhere says. */
export function tryOrigin(text: string): WebOrigin | undefined {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return undefined;
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "" || url.pathname !== "/")
    return undefined;
  return Object.freeze({ scheme: url.protocol, host: url.hostname, port: url.port || portOf(url.protocol) });
}

/** As a browser says it. */
export function originText({ scheme, host, port }: WebOrigin): string {
  return `${scheme}//${host}${port === portOf(scheme) ? "" : `:${port}`}`;
}

/** Why the page may not come in; undefined: it may. `hostHeader`: where it asked. */
export function originFault(
  origin: string | undefined,
  hostHeader: string | undefined,
  isTls: boolean,
  { sameOrigin, allowedOrigins }: OriginRules,
): string | undefined {
  if (origin === undefined || origin === "" || (!sameOrigin && allowedOrigins.length === 0)) return undefined;
  const page = tryOrigin(origin);
  const shown = JSON.stringify(origin.slice(0, 100));
  if (page === undefined) return `the web page's origin ${shown} is none that can be allowed`;
  if (sameOrigin) {
    const here = tryOrigin(`${isTls ? "https" : "http"}://${hostHeader ?? ""}`);
    if (here?.host !== page.host || here.port !== page.port)
      return `the web page is from ${shown}, and same_origin wants it to be from here`;
  }
  const isAllowed = allowedOrigins.some(
    ({ scheme, host, port }) => scheme === page.scheme && host === page.host && port === page.port,
  );
  return isAllowed || allowedOrigins.length === 0
    ? undefined
    : `the web page is from ${shown}, which allowed_origins does not name`;
}

function portOf(scheme: string): string {
  return scheme === "https:" ? "443" : "80";
}
