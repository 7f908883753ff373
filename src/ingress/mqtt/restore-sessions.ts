// Kept sessions as the last life left them on flash, put together again before the doors open.
//
//   session/7 ── filter/7/… ── received/7/… ── out/7/… ─▶ message/… ── will/7
//
// What cannot be read, or belongs to nothing that is there any more, is removed and told: one bad record costs itself.

import type { User } from "#access/authenticator.ts";
import type { Entropy } from "#base/entropy.ts";
import type { AccountRouter } from "#router/router.ts";
import type { Keeping, Mark } from "./keeping.ts";
import type { Letter, Mail } from "./mail.ts";
import { type Owed, RESTORED } from "./owed.ts";
import type { Session } from "./session.ts";
import { decodeFilter, decodeOut, decodeSession, decodeWill, idsOf, type OutRecord, type WillRecord } from "./session-records.ts";

export interface RestoreDeps {
  readonly keeping: Keeping;
  readonly mail: Mail;
  readonly entropy: Entropy;
  accountOf(name: string): AccountRouter | undefined;
  userOf(name: string): User | undefined;
  /** A session under the number it had; undefined: its client id is taken. */
  open(number: number, clientId: string, user: User, account: AccountRouter): Session | undefined;
  onDamaged(key: string, words: string): void;
}

interface Found {
  readonly session: Session;
  readonly expirySeconds: number;
  readonly leftAt: number;
  readonly boot: string;
  will: WillRecord | undefined;
  readonly owed: Owed[];
}

/** Returns the highest session number that was ever given. */
export function restoreSessions(deps: RestoreDeps): number {
  const { mail } = deps;
  const letters = mail.restore((key) => remove(deps, key, "a message that cannot be read"));
  const found = new Map<number, Found>();
  const over = new Set<number>();
  const last = findSessions(deps, found, over);
  const orphan = (key: string, session: number, words: string) => {
    if (over.has(session)) deps.keeping.delete(key, "lazy");
    else remove(deps, key, words);
  };
  for (const [key, ids, value] of recordsOf(deps, "filter/", 2)) {
    const record = decodeFilter(value);
    const session = found.get(ids[0]!)?.session;
    if (record === undefined) remove(deps, key, "a filter that cannot be read");
    else if (session?.subscriptions.restore(ids[1]!, record) !== true) orphan(key, ids[0]!, "a filter of no session");
  }
  for (const [key, ids] of recordsOf(deps, "received/", 2)) {
    const session = found.get(ids[0]!)?.session;
    if (session === undefined) orphan(key, ids[0]!, "a packet identifier of no session");
    else session.received.restore(ids[1]!, deps.keeping.found);
  }
  for (const [key, ids, value] of recordsOf(deps, "out/", 2)) {
    const record = decodeOut(value);
    const session = found.get(ids[0]!)?.session;
    const owed = record === undefined ? undefined : owedOf(ids[1]!, record, letters, session, deps.keeping.found ?? 0);
    if (owed === undefined) remove(deps, key, "a delivery that cannot be read, or whose message is gone");
    else if (session === undefined) orphan(key, ids[0]!, "a delivery of no session");
    else found.get(ids[0]!)!.owed.push(owed);
  }
  for (const [key, ids, value] of recordsOf(deps, "will/", 1)) {
    const record = decodeWill(value);
    const one = found.get(ids[0]!);
    if (record === undefined) remove(deps, key, "a will that cannot be read");
    else if (one === undefined) orphan(key, ids[0]!, "a will of no session");
    else one.will = record;
  }
  for (const one of found.values()) begin(one, deps.entropy);
  for (const letter of letters.values()) mail.discardUnowned(letter);
  return last;
}

/** `over`: those that were to end with their connections. */
function findSessions(deps: RestoreDeps, found: Map<number, Found>, over: Set<number>): number {
  let last = 0;
  for (const [key, ids, value] of recordsOf(deps, "session/", 1)) {
    const number = ids[0]!;
    last = Math.max(last, number);
    const record = decodeSession(value);
    if (record === undefined) {
      remove(deps, key, "a session that cannot be read");
      continue;
    }
    const { clientId, expirySeconds, leftAt, boot } = record;
    const account = deps.accountOf(record.account);
    const user = deps.userOf(record.user);
    const session =
      account === undefined || user === undefined || expirySeconds === 0 ? undefined : deps.open(number, clientId, user, account);
    if (session !== undefined) found.set(number, { session, expirySeconds, leftAt, boot, will: undefined, owed: [] });
    else if (expirySeconds === 0) {
      over.add(number);
      deps.keeping.delete(key, "lazy");
    } else
      remove(deps, key, `the session of "${clientId}": its user or account is not in the settings any more, or its id is taken`);
  }
  return last;
}

function begin({ session, expirySeconds, leftAt, boot, will, owed }: Found, entropy: Entropy): void {
  owed.sort((a, b) => a.releaseOrder - b.releaseOrder || a.seq - b.seq);
  // They go out in their order, so what stands before one that was sent was sent as well, also when the note of that was lost.
  let lastSent = 0;
  for (const { seq, isNoted } of owed) if (isNoted) lastSent = Math.max(lastSent, seq);
  for (const one of owed) {
    one.isDuplicate = one.seq <= lastSent;
    session.deliveries.restore(one);
  }
  // A QoS 1 message that went out just before a power cut left no record, but the client may still owe its acknowledgement: somewhere else in
  // the circle nobody else is given its identifier soon.
  session.deliveries.leap(1 + Math.floor(entropy.random() * 65_535));
  session.restore({ expirySeconds, leftAt, boot }, will);
}

function owedOf(
  seq: number,
  record: OutRecord,
  letters: ReadonlyMap<number, Letter>,
  session: Session | undefined,
  foundMark: Mark,
): Owed | undefined {
  const { packetId, qos, retain, isSent, isReleased, isShared, subscriptionIds } = record;
  const letter = isReleased ? null : letters.get(asInteger(record.message));
  if (letter === undefined) return undefined;
  return {
    seq,
    packetId,
    qos,
    retain,
    subscriptionIds,
    share: isShared && letter !== null ? (session?.subscriptions.shareOf(letter.message.subject) ?? null) : null,
    letter,
    isDuplicate: isSent,
    isNoted: isSent,
    isReleased,
    releaseOrder: isReleased ? record.message : 0,
    mark: qos === 2 && foundMark > 0 ? foundMark : RESTORED,
  };
}

/** The same number, in the form in which V8 finds it in a map without hashing a double. */
function asInteger(id: number): number {
  return id === (id | 0) ? id | 0 : id;
}

/** Each record under `prefix` whose key has so many numbers; `ids` is another one's with the next. Others are removed and told. */
function* recordsOf(deps: RestoreDeps, prefix: string, count: number): Iterable<readonly [string, readonly number[], Buffer]> {
  const numbers: number[] = [];
  const strangers: string[] = [];
  for (const [key, value] of deps.keeping.entries(prefix)) {
    const ids = idsOf(key, numbers);
    if (ids?.length === count) yield [key, ids, value];
    else strangers.push(key);
  }
  for (const key of strangers) remove(deps, key, "a name that is none of ours");
}

function remove({ keeping, onDamaged }: RestoreDeps, key: string, words: string): void {
  keeping.delete(key, "lazy");
  onDamaged(key, words);
}
