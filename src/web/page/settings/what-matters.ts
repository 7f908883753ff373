// Which settings stand in front, and which are folded away until somebody wants them: a serial port has eighty.
//
// Folded away is what nobody wrote and few need. Fields that mean nothing beside the chosen `type` are told by their help, which begins
// its clauses with the types it is for: "fixed, length_prefix: silence after which …".

import type { Field, ObjectShape } from "./shape.ts";

/** By the path of the object, list places left out. An object without an entry shows all that it has. */
const IN_FRONT: Readonly<Record<string, readonly string[]>> = {
  "accounts[]": ["name", "users"],
  "accounts[].users[]": ["user", "password", "mqtt", "nats", "permissions"],
  "leafnodes.remotes[]": ["urls", "credentials", "user", "password", "tls", "compression"],
  "leafnodes.remotes[].tls": ["handshake_first", "ca_file", "cert_file", "key_file"],
  outbox: ["max_bytes", "max_age", "rules", "when_full"],
  mqtt: ["listen", "tls", "websocket", "max_clients"],
  "serial[]": [
    "name",
    "match",
    "baud_rate",
    "data_bits",
    "parity",
    "framing",
    "decode",
    "subject",
    "write_subject",
    "silence_after",
    "modbus",
  ],
};

export function isInFront(path: string, { key, isRequired }: Field): boolean {
  const keys = IN_FRONT[path.replaceAll(/\[\d+\]/g, "[]")];
  return isRequired || keys === undefined || keys.includes(key);
}

/** Does the field mean anything while the object's `type` is this? */
export function isMeant({ help }: Field, object: ObjectShape, type: unknown): boolean {
  const choice = object.fields.find(({ key }) => key === "type")?.shape;
  if (choice?.kind !== "choice" || typeof type !== "string" || help.includes("all others")) return true;
  const types = typesIn(help, choice.values);
  return types.length === 0 || types.includes(type);
}

function typesIn(help: string, known: readonly (string | number | boolean)[]): readonly string[] {
  return help.split(/;\s+|\)\.\s+/).flatMap((clause) => {
    const names = /^([a-z0-9_]+(?:, [a-z0-9_]+)*)(?::| \()/.exec(clause)?.[1]?.split(", ") ?? [];
    return names.length > 0 && names.every((name) => known.includes(name)) ? names : [];
  });
}
