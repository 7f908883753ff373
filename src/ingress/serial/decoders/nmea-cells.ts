// One cell of an NMEA sentence as JSON.

import type { CellKind } from "./nmea-sentences.ts";
import { Scaling } from "./scaling.ts";

const PLAIN = new Scaling(1, 0);
/** Two digits of a year: those from here on are of the last century. GPS began in 1980. */
const LAST_CENTURY_FROM = 80;

/** `behind`: the next cell. undefined: it is not what it should be. */
export function cellJson(kind: CellKind, text: string, behind: string): string | undefined {
  switch (kind) {
    case "number":
    case "by_unit":
      return numberText(text);
    case "turned": {
      const json = numberText(text);
      return json !== undefined && (behind === "W" || behind === "L") && !json.startsWith("-") ? `-${json}` : json;
    }
    case "time":
      return /^\d{6}(?:\.\d+)?$/.test(text) ? `"${text.slice(0, 2)}:${text.slice(2, 4)}:${text.slice(4)}"` : undefined;
    case "date": {
      if (!/^\d{6}$/.test(text)) return undefined;
      const century = Number(text.slice(4)) >= LAST_CENTURY_FROM ? "19" : "20";
      return `"${century}${text.slice(4)}-${text.slice(2, 4)}-${text.slice(0, 2)}"`;
    }
    default:
      return JSON.stringify(text);
  }
}

/** The digits as they were written, without zeros in front. */
export function numberText(text: string): string | undefined {
  return PLAIN.ofText(text);
}

/** `4807.038`, `N` is 48.117300: degrees, as many digits as the minutes justify. */
export function positionJson(text: string, hemisphere: string): string | undefined {
  const found = /^(\d{1,3})(\d{2}(?:\.\d{0,9})?)$/.exec(text);
  if (found === null || !/^[NSEW]$/.test(hemisphere)) return undefined;
  const digits = found[2]!.length - 3;
  const degrees = Number(found[1]) + Number(found[2]) / 60;
  const isBeyond = degrees > (hemisphere === "N" || hemisphere === "S" ? 90 : 180) || Number(found[2]) >= 60;
  if (isBeyond) return undefined;
  const sign = (hemisphere === "S" || hemisphere === "W") && degrees > 0 ? "-" : "";
  return `${sign}${degrees.toFixed(Math.min(10, Math.max(4, digits + 3)))}`;
}
