// What can go wrong between us and the kernel's packet filter, each with a sentence of cause and one of remedy.

import { PetioleError, type Remedy } from "#base/errors.ts";

const REMEDY = {
  /** There is no nft program. */
  FIREWALL_NO_NFT: "never",
  /** The kernel, or what it was built with, lacks something the ruleset needs. */
  FIREWALL_KERNEL_LACKS: "never",
  FIREWALL_FORBIDDEN: "never",
  /** nft refused the ruleset, or said something we do not understand. */
  FIREWALL_REFUSED: "backoff",
  /** nft did not end in time. */
  FIREWALL_STUCK: "backoff",
} as const satisfies Readonly<Record<string, Remedy>>;

export type FirewallCode = keyof typeof REMEDY;

export class FirewallError extends PetioleError {
  override readonly name = "FirewallError";
  declare readonly code: FirewallCode;

  constructor(code: FirewallCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(code, message, { remedy: REMEDY[code], ...(options.cause === undefined ? {} : { cause: options.cause }) });
  }
}
