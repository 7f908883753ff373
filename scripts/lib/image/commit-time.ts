// The time of everything we build: the last commit's, so that the same tree gives the same bytes.

import { tryCommand } from "../command.ts";
import { ROOT } from "../suites.ts";

/** In seconds; SOURCE_DATE_EPOCH goes before it, 0 where there is no git. */
export async function commitTime(): Promise<number> {
  const given = Number(process.env["SOURCE_DATE_EPOCH"]);
  if (given > 0) return given;
  const shown = await tryCommand("git", ["-C", ROOT, "log", "-1", "--format=%ct"]).catch(() => undefined); // no git here
  return Number(shown?.stdout.trim()) || 0;
}
