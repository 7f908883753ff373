// Bytes of a device as text: most say ASCII, some mean Latin-1, and a strict reader tells noise from an umlaut.

import { isAscii, isUtf8 } from "node:buffer";
import type { Charset } from "../decode-options.ts";

/** The text of the bytes, or undefined where they are none in this character set. */
export type CharacterReader = (bytes: Buffer, start: number, end: number) => string | undefined;

export function characterReader(charset: Charset): CharacterReader {
  switch (charset) {
    case "utf-8":
      return (bytes, start, end) => (isUtf8(bytes.subarray(start, end)) ? bytes.utf8Slice(start, end) : undefined);
    case "utf-8-replace":
      return (bytes, start, end) => bytes.utf8Slice(start, end);
    case "ascii":
      return (bytes, start, end) => (isAscii(bytes.subarray(start, end)) ? bytes.latin1Slice(start, end) : undefined);
    case "latin1":
      return (bytes, start, end) => bytes.latin1Slice(start, end);
    case "windows-1252": {
      const decoder = new TextDecoder("windows-1252");
      return (bytes, start, end) => decoder.decode(bytes.subarray(start, end));
    }
    case "utf-16le":
      return (bytes, start, end) => {
        const text = (end - start) % 2 === 0 ? bytes.toString("utf16le", start, end) : "";
        return text !== "" && text.isWellFormed() ? text : undefined;
      };
  }
}

/** What a frame that is no text in this character set is told to be. */
export function notIn(charset: Charset): string {
  return `not ${charset === "utf-16le" ? "UTF-16" : charset === "ascii" ? "ASCII" : "UTF-8"}`;
}
