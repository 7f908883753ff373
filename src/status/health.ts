// The verdict over a report, in words a technician can act on.

import type { Health, LinkReport, RemoteReport, SerialReport } from "./report.ts";

export function judge(remotes: readonly RemoteReport[], serial: readonly SerialReport[]): Health {
  const failed: string[] = [];
  const degraded: string[] = [];
  for (const { name, link, outbox } of remotes) {
    if (outbox.fault !== null) {
      const words = `the outbox of ${name} cannot write to flash: ${outbox.fault}`;
      if (link.state === "ready") degraded.push(words);
      else failed.push(`${words}, and there is no link; QoS 1 publishers get no acknowledgement until one of the two is back`);
    }
    if (link.state !== "ready")
      degraded.push(`no link to the hub of ${name}: ${link.last_error?.message ?? link.state}; ${outbox.depth} messages wait`);
    for (const displaced of outbox.losses.filter((loss) => loss.reason === "displaced"))
      degraded.push(
        `the outbox of ${name} was full: ${displaced.messages} of the oldest ${displaced.class} messages were dropped`,
      );
    if (outbox.held > 0)
      degraded.push(`nobody at the hub of ${name} listens to ${outbox.held} messages; they wait until somebody does`);
    if (outbox.recovery.damaged > 0)
      degraded.push(
        `the outbox of ${name} was damaged on flash in ${outbox.recovery.damaged} places; what could be read was kept`,
      );
  }
  degraded.push(...twins(remotes));
  for (const port of serial) {
    if (port.cause !== null) degraded.push(`serial port ${port.name}: ${port.cause}`);
    else if (port.is_silent)
      degraded.push(`serial port ${port.name} is open but silent; check the device, the wire and the baud rate`);
  }
  const verdict = failed.length > 0 ? "failed" : degraded.length > 0 ? "degraded" : "ok";
  return { verdict, reasons: [...failed, ...degraded] };
}

/** Two remotes of one account that reach the same hub: whatever comes down comes twice. */
function twins(remotes: readonly RemoteReport[]): string[] {
  const reasons: string[] = [];
  for (const [i, remote] of remotes.entries()) {
    const twin = remotes.slice(0, i).find((other) => other.account === remote.account && isSameHub(other.link, remote.link));
    if (twin !== undefined)
      reasons.push(
        `the remotes ${twin.name} and ${remote.name} of account ${remote.account} reach the same hub (${remote.link.hub_cluster ?? remote.link.hub_name}): messages come twice; list all its URLs in one remote`,
      );
  }
  return reasons;
}

function isSameHub(one: LinkReport, other: LinkReport): boolean {
  if (one.hub_id === null || other.hub_id === null) return false;
  return one.hub_id === other.hub_id || (one.hub_cluster !== null && one.hub_cluster === other.hub_cluster);
}
