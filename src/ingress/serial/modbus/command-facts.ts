// What a command's answer tells whoever sent it: the values by themselves, or the one that was named.

import type { OutcomeFacts } from "../command.ts";
import type { NamedRequest } from "./named-value.ts";
import type { ModbusCommand } from "./parse-command.ts";
import { functionOf, isRead } from "./pdu.ts";
import { RegisterValue } from "./register-value.ts";

/** What an answer holds: registers as numbers, coils as 0 and 1; of a write, nothing but that it was done. */
export function factsOf({ unit, request, named }: ModbusCommand, data: Buffer): OutcomeFacts {
  const facts = { unit, function: functionOf(request) };
  if (named !== undefined) return { ...facts, ...namedFacts(named, data) };
  if (!isRead(request)) return facts;
  if (request.kind === "read" && (request.table === "coils" || request.table === "discrete")) {
    return { ...facts, values: Array.from({ length: request.count }, (_, i) => (data[i >>> 3]! >>> (i & 7)) & 1) };
  }
  return { ...facts, values: Array.from({ length: data.length >>> 1 }, (_, i) => data.readUInt16BE(i * 2)) };
}

/** The value that was read, or the one that stands there now. */
function namedFacts({ register, isBits, written }: NamedRequest, data: Buffer): OutcomeFacts {
  const value = new RegisterValue(register);
  const json = written ?? (isBits ? value.ofBits(data) : value.ofWords(data));
  const parsed = JSON.parse(json) as string | number | boolean | null | readonly number[];
  const isExact = typeof parsed !== "number" || !Number.isInteger(parsed) || Number.isSafeInteger(parsed);
  return { value: isExact ? parsed : json, ...(register.unit === null ? {} : { measure: register.unit }) };
}
