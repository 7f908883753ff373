// What the device refused, in the reader's language where the refusal is one that everybody meets; else as the device says it.

import type { Text } from "../words/catalogue.ts";
import { ApiError } from "./api.ts";
import type { shellWords } from "./words.ts";

export function refusalWords(error: unknown, text: Text<typeof shellWords>): string {
  if (!(error instanceof ApiError)) return String(error);
  switch (error.code) {
    case "":
      return text("noAnswer");
    case "WEB_LOGIN_FAILED":
      return error.status === 403 && error.message.includes("claim code") ? text("wrongCode") : text("wrongLogin");
    case "WEB_WAIT":
      return text("waitSeconds", { n: Number(/\d+/.exec(error.message)?.[0] ?? 1) });
    case "WEB_ROLE":
      return text("notAllowed");
    default:
      return error.faults.length === 0
        ? error.message
        : error.faults.map(({ wanted, found }) => `${wanted}${found === "" ? "" : ` (${found})`}`).join("; ");
  }
}
