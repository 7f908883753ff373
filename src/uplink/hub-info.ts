// The hub's INFO, as far as a spoke needs it. Source: spec/leafnode-protocol.md §4. Unknown fields are ignored.

import type { PermissionList } from "#access/permissions.ts";
import { ProtocolError } from "#base/errors.ts";
import { LEAF_NOT_NATS, LEAF_WRONG_PORT } from "./errors.ts";

export interface HubInfo {
  readonly serverId: string;
  /** `server_name`, or the id where the hub has no name. */
  readonly name: string;
  readonly version: string;
  readonly cluster: string | null;
  readonly tlsRequired: boolean;
  /** It wants a certificate from us. */
  readonly wantsCertificate: boolean;
  readonly isAnswerToConnect: boolean;
  /** Bytes of headers and payload of one message at most. */
  readonly maxPayload: number;
  /** The hub's compression mode; null when it cannot compress. */
  readonly compression: string | null;
  /** To be signed by an nkey; null: the hub wants none. */
  readonly nonce: string | null;
  /** Leaf listeners of the hub's cluster, `host:port`, by TCP and by WebSocket; null: not told. */
  readonly leafUrls: readonly string[] | null;
  readonly webSocketUrls: readonly string[] | null;
  readonly remoteAccount: string | null;
  readonly jetstreamDomain: string | null;
  /** What we may announce and receive, and what we may send; null: everything. */
  readonly importPermissions: PermissionList | null;
  readonly exportPermissions: PermissionList | null;
  /** Does it come from a leaf port? Source: spec §4 "Wrong port". */
  readonly isLeafPort: boolean;
}

const MAX_PAYLOAD_DEFAULT = 1024 * 1024;

/** Throws LEAF_NOT_NATS if `json` is not a JSON object. */
export function parseInfo(json: string): HubInfo {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (cause) {
    throw new ProtocolError(LEAF_NOT_NATS, `INFO of the hub is not JSON: ${JSON.stringify(json.slice(0, 60))}`, { cause });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new ProtocolError(LEAF_NOT_NATS, `INFO of the hub is not an object: ${JSON.stringify(json.slice(0, 60))}`);
  }
  const info: Readonly<Record<string, unknown>> = { ...parsed };
  const serverId = textOf(info["server_id"]) ?? "";
  return {
    serverId,
    name: textOf(info["server_name"]) ?? serverId,
    version: textOf(info["version"]) ?? "unknown",
    cluster: textOf(info["cluster"]),
    tlsRequired: info["tls_required"] === true,
    wantsCertificate: info["tls_verify"] === true,
    isAnswerToConnect: info["connect_info"] === true,
    maxPayload: typeof info["max_payload"] === "number" && info["max_payload"] > 0 ? info["max_payload"] : MAX_PAYLOAD_DEFAULT,
    compression: textOf(info["compression"]),
    nonce: textOf(info["nonce"]),
    leafUrls: textsOf(info["leafnode_urls"]),
    webSocketUrls: textsOf(info["ws_connect_urls"]),
    remoteAccount: textOf(info["remote_account"]),
    jetstreamDomain: textOf(info["domain"]),
    importPermissions: permissionsOf(info["import"]),
    exportPermissions: permissionsOf(info["export"]),
    isLeafPort: info["client_id"] !== undefined && (info["info_on_connect"] !== undefined || info["leafnode_urls"] !== undefined),
  };
}

/** Throws LEAF_WRONG_PORT unless the first INFO comes from a leaf port. */
export function assertLeafPort(info: HubInfo, hub: string): void {
  if (info.isLeafPort) return;
  throw new ProtocolError(
    LEAF_WRONG_PORT,
    `hub ${hub} is a NATS server, but this is not its leaf port; wanted the port of its leafnodes block (usually 7422)`,
  );
}

function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function textsOf(value: unknown): readonly string[] | null {
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === "string") : null;
}

function permissionsOf(value: unknown): PermissionList | null {
  if (typeof value !== "object" || value === null) return null;
  const { allow, deny } = value as { allow?: unknown; deny?: unknown };
  return { allow: Array.isArray(allow) ? filtersOf(allow) : null, deny: filtersOf(deny) };
}

/** Entries may be `subject group` pairs; the subject alone decides here. */
function filtersOf(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value
    .filter((entry): entry is string => typeof entry === "string")
    .map((entry) => Buffer.from(entry.split(" ")[0]!, "utf8").toString("latin1"));
}
