// What counts as one place on the network: limits, lock-outs and the packet filter count by it.

/** An IPv4 address, or the /64 of an IPv6 one, of which a single host has 2^64; in one spelling. What is no address stays as it is. */
export function network(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped !== null) return mapped[1]!;
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.split("%")[0]!.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const after = tail === "" ? [] : tail.split(":");
    while (groups.length + after.length < 8) groups.push("0");
    groups.push(...after);
  }
  return `${groups.slice(0, 4).map(plain).join(":")}::/64`;
}

/** Without leading zeros, in small letters. */
function plain(group: string): string {
  return /^[0-9a-f]{1,4}$/i.test(group) ? Number.parseInt(group, 16).toString(16) : group;
}
