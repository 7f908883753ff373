// Where the page will be after a change of `web`: pure, from the settings and the address in the browser's bar.

import { isObject, type Json } from "./json.ts";

export interface Here {
  /** "http:" */
  readonly protocol: string;
  readonly hostname: string;
  /** "": the protocol's own. */
  readonly port: string;
}

/** undefined: there will be no page. The same as `here`: it stays. */
export function addressAfter(web: Json | undefined, here: Here): string | undefined {
  if (!isObject(web)) return undefined;
  const listen = typeof web["listen"] === "string" ? web["listen"] : "0.0.0.0:80";
  const [, host, port] = /^(.*?):?(\d+)$/.exec(listen) ?? ["", "", "80"];
  const protocol = web["tls"] === null || web["tls"] === undefined ? "http:" : "https:";
  const isAny = host === "" || host === "0.0.0.0" || host === "[::]" || host === "*";
  return originOf({ protocol, hostname: isAny ? here.hostname : host!, port: port! });
}

export function originOf({ protocol, hostname, port }: Here): string {
  const usual = protocol === "https:" ? "443" : "80";
  return `${protocol}//${hostname}${port === "" || port === usual ? "" : `:${port}`}/`;
}
