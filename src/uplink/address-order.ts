// In which order the addresses of one host are tried: the last good one, then the families in turn (in the spirit of RFC 6724 and
// RFC 8305). IPv6 goes first only where it worked last: on many site networks it is announced and leads nowhere.

import type { ResolvedAddress } from "#base/resolver.ts";

export interface OrderHints {
  /** Addresses that worked before, best first. */
  readonly good: readonly string[];
  /** Family of the connection made last, over whatever host; null: none yet. */
  readonly lastFamily: 4 | 6 | null;
}

type Address = Pick<ResolvedAddress, "address" | "family">;

/** Keeps the order of the answer within a family. Doubles are dropped. */
export function orderAddresses(answer: readonly Address[], hints: OrderHints): readonly Address[] {
  const unique = [...new Map(answer.map((each) => [each.address, each])).values()];
  const first = unique.filter(
    ({ address }) => address === hints.good.find((good) => unique.some((each) => each.address === good)),
  );
  const rest = unique.filter((each) => !first.includes(each));
  const leads = first[0] === undefined ? (hints.lastFamily ?? 4) : first[0].family === 4 ? 6 : 4;
  const queues = [rest.filter(({ family }) => family === leads), rest.filter(({ family }) => family !== leads)] as const;
  const ordered: Address[] = [...first];
  for (let i = 0; i < rest.length; i++) for (const queue of queues) if (queue[i] !== undefined) ordered.push(queue[i]!);
  return ordered;
}
