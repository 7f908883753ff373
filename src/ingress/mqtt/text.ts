// Is a span of bytes a string as MQTT wants it: well-formed UTF-8 without U+0000 [MQTT-1.5.3-1, MQTT-1.5.3-2; MQTT5-1.5.4-1, MQTT5-1.5.4-2].

import { isUtf8 } from "node:buffer";

/** undefined when it is; else what is wrong, to stand behind the field's name. */
export function textFault(bytes: Buffer, start: number, end: number): string | undefined {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === 0) return "contains the character U+0000";
    if (byte > 0x7f) return slowTextFault(bytes, at, end);
  }
  return undefined;
}

function slowTextFault(bytes: Buffer, start: number, end: number): string | undefined {
  const rest = bytes.subarray(start, end);
  if (!isUtf8(rest)) return "is not well-formed UTF-8";
  return rest.includes(0) ? "contains the character U+0000" : undefined;
}
