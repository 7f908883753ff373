// What is done about a port that says nothing, or nonsense: keys of a port's settings.

import type { Report } from "#base/fault.ts";
import { duration, fields, flag, integer, nullable, optional } from "#base/schema.ts";

export const watchKeys = {
  silence_after: optional(nullable(duration("1s", "30d")), "60s", "report the port as silent after this long without a frame"),
  error_budget: optional(
    nullable(integer(1, 1_000_000, "errors a minute")),
    60,
    "more bad frames than this within a minute: the port is opened anew, and if that does not help, reported as degraded; null: never",
  ),
  reopen: optional(
    fields(
      {
        min: optional(duration("100ms", "1m"), "500ms", "wait after the first failure"),
        max: optional(duration("1s", "1h"), "10s", "the wait doubles up to this"),
        on_silence: optional(flag(), false, "open it anew when it is silent; resets boards that restart when they are opened"),
      },
      checkWaits,
    ),
    {},
    "how a port that failed is opened again",
  ),
  usb_power_cycle: optional(
    flag(),
    false,
    "when opening it anew did not help, take its USB device off the bus for a moment, at most every 15 minutes",
  ),
};

function checkWaits(reopen: { readonly min: number | undefined; readonly max: number | undefined }, report: Report): void {
  if (reopen.min === undefined || reopen.max === undefined || reopen.min <= reopen.max) return;
  const found = `one of ${reopen.max} ms`;
  report.fault(["max"], { wanted: `a wait not shorter than min (${reopen.min} ms)`, found, remedy: "raise max, or lower min" });
}
