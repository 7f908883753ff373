// A pattern with named groups, as the settings take it: RE2's syntax, whose every search ends in time linear in the frame. A pattern that
// JavaScript's own engine would take for minutes, such as (a+)+$, costs as much as any other here.

import { RE2JS } from "re2js";
import type { Schema } from "#base/schema.ts";
import { parsedText } from "#base/schema-text.ts";

const PATTERN_BYTES_MAX = 1024;
/**
 * Steps of a compiled pattern. A search costs up to 50 ns a step and character, on one core of a small server, where the pattern and the
 * frame are as unlucky as can be: 500 steps and 4,096 characters are 0.1 s. Patterns that people write have 20 to 150.
 */
const PATTERN_STEPS_MAX = 500;

/** Names of the groups of a pattern that was accepted. */
export function groupNames(pattern: string): readonly string[] {
  return Object.keys(RE2JS.compile(pattern).namedGroups());
}

export function regexPattern(): Schema<string> {
  return parsedText('a pattern with named groups, such as "T=(?<temp>[0-9.]+)"', { bytesMax: PATTERN_BYTES_MAX }, (text) => {
    let pattern: RE2JS;
    try {
      pattern = RE2JS.compile(text);
    } catch (error) {
      const why = (error as Error).message.replace("error parsing regexp: ", "");
      return { fault: { remedy: `${why}; RE2 knows no back references and no look-around` } };
    }
    const steps = pattern.programSize();
    if (steps > PATTERN_STEPS_MAX) {
      return {
        fault: {
          remedy: `it compiles to ${steps} steps, the limit is ${PATTERN_STEPS_MAX}; repeat less, as with + instead of {200}`,
        },
      };
    }
    if (Object.keys(pattern.namedGroups()).length > 0) return { value: text };
    return { fault: { remedy: "name what you want: (?<name>…)" } };
  });
}
