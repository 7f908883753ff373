// The local page. It does not exist yet; `web: null` is all the settings take for now.

import { fields, later, nothing, optional, type ValueOf } from "#base/schema.ts";
import { listenAddress } from "#base/schema-text.ts";

export const webOptions = fields({
  listen: optional(listenAddress(), "127.0.0.1:80", "address of the page"),
  tls: later(nothing(), null, "HTTPS with an own certificate"),
});

export type WebOptions = ValueOf<typeof webOptions>;
