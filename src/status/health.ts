// The verdict over a report, in words a technician can act on.

import type { Health, RemoteReport, SerialReport } from "./report.ts";

export function judge(remotes: readonly RemoteReport[], serial: readonly SerialReport[]): Health {
  const failed: string[] = [];
  const degraded: string[] = [];
  for (const { account, link, outbox } of remotes) {
    if (outbox.fault !== null) {
      const words = `the outbox of ${account} cannot write to flash: ${outbox.fault}`;
      if (link.state === "ready") degraded.push(words);
      else failed.push(`${words}, and there is no link; QoS 1 publishers get no acknowledgement until one of the two is back`);
    }
    if (link.state !== "ready")
      degraded.push(`no link to the hub of ${account}: ${link.last_error?.message ?? link.state}; ${outbox.depth} messages wait`);
    const displaced = outbox.losses.find((loss) => loss.reason === "displaced");
    if (displaced !== undefined)
      degraded.push(`the outbox of ${account} was full: ${displaced.messages} of the oldest messages were dropped`);
    if (outbox.held > 0)
      degraded.push(`nobody at the hub of ${account} listens to ${outbox.held} messages; they wait until somebody does`);
    if (outbox.recovery.damaged > 0)
      degraded.push(
        `the outbox of ${account} was damaged on flash in ${outbox.recovery.damaged} places; what could be read was kept`,
      );
  }
  for (const port of serial) {
    if (port.cause !== null) degraded.push(`serial port ${port.name}: ${port.cause}`);
    else if (port.is_silent)
      degraded.push(`serial port ${port.name} is open but silent; check the device, the wire and the baud rate`);
  }
  const verdict = failed.length > 0 ? "failed" : degraded.length > 0 ? "degraded" : "ok";
  return { verdict, reasons: [...failed, ...degraded] };
}
