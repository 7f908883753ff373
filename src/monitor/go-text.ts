// Durations in the two ways nats-server writes them.

const UNITS = [
  ["h", 3_600_000_000_000],
  ["m", 60_000_000_000],
] as const;

/** As Go's time.Duration prints itself: `277µs`, `7.344915ms`, `1m2.5s`, `0s`. Not below zero. */
export function goDuration(ms: number): string {
  let left = Math.max(0, Math.round(ms * 1_000_000));
  if (left === 0) return "0s";
  if (left < 1_000) return `${left}ns`;
  if (left < 1_000_000) return `${left / 1_000}µs`;
  if (left < 1_000_000_000) return `${left / 1_000_000}ms`;
  let text = "";
  for (const [unit, length] of UNITS) {
    const count = Math.floor(left / length);
    left -= count * length;
    if (count > 0 || text !== "") text += `${count}${unit}`;
  }
  return `${text}${left / 1_000_000_000}s`;
}

/** As nats-server writes `uptime` and `idle`: whole seconds, `1y2d3h4m5s`, the larger units only where there are any. */
export function uptimeText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  const years = Math.floor(days / 365);
  if (years > 0) return `${years}y${days % 365}d${hours % 24}h${minutes % 60}m${seconds % 60}s`;
  if (days > 0) return `${days}d${hours % 24}h${minutes % 60}m${seconds % 60}s`;
  if (hours > 0) return `${hours}h${minutes % 60}m${seconds % 60}s`;
  if (minutes > 0) return `${minutes}m${seconds % 60}s`;
  return `${seconds}s`;
}
