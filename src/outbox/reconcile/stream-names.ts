// The names of the streams that take something of some subjects, and the filters to ask for them by.
//
//   plant.7.temperature, plant.8.state ─▶ STREAM.NAMES { subject: "plant.>" } ─▶ names
//
// Asked by first token and not by subject: a backlog of ten thousand subjects is a few requests.

import { displaySubject } from "#core/subject.ts";
import type { JetStreamApi } from "./reconcile-api.ts";

/** First tokens asked for one by one; with more, all streams are asked for at once. */
const TOKENS_MAX = 32;
/** Pages of names for one filter. */
const PAGES_MAX = 4;
const NAME = /^[^\s.*>/\\\p{Cc}]{1,255}$/u;

/** Adds the names to `names` until it has more than `max`. Returns what kept some from being found, in words; "" for nothing. */
export async function addStreamNames(
  api: JetStreamApi,
  filters: readonly string[],
  names: Set<string>,
  max: number,
): Promise<string> {
  let trouble = "";
  await api.forEach(filters, async (filter) => {
    for (let page = 0, offset = 0; page < PAGES_MAX && trouble === ""; page++) {
      const answer = await api.call("STREAM.NAMES", { subject: filter, offset });
      if (answer.is === "failed") {
        trouble ||= answer.text;
        return;
      }
      const { streams, total } = answer.body;
      const list = Array.isArray(streams) ? streams : [];
      for (const name of list) if (typeof name === "string" && NAME.test(name) && names.size <= max) names.add(name);
      offset += list.length;
      if (list.length === 0 || typeof total !== "number" || offset >= total) return;
    }
  });
  return trouble;
}

/** As text, to be asked for: what these subjects (latin1 form) may be taken by. */
export function filtersFor(subjects: Iterable<string>): readonly string[] {
  const filters = new Set<string>();
  for (const subject of subjects) {
    const dot = subject.indexOf(".");
    filters.add(displaySubject(dot < 0 ? subject : `${subject.slice(0, dot)}.>`));
    if (filters.size > TOKENS_MAX) return [">"];
  }
  return [...filters];
}
