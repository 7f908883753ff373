// What a hub wants without announcing it, and what it announces without our wanting to follow.
//
// Seen on nats-server 2.15.1 and 2.10.27, with and without a JetStream domain (spec/leafnode-protocol.md §§11.4, 15):
//
//   $JS.API.>, $JS.<domain>.API.…     announced: the API can be asked
//   $O.<bucket>.…                     announced, like the subjects of any stream
//   $KV.<bucket>.…                    not announced, yet stored
//   $JS.ACK.…, $JS.FC.…               announced per consumer; a late one for a consumer that moved is not
//   $JS.API.DIRECT.GET.…              answered only by the queue group `_sys_`, which is named in no interest: an unnamed group gets
//                                     nothing (§11.1), and the request of a KV get would never be answered
//   _R_.…, _GR_.…                     replies through service imports and gateways: passed on whatever is known
//   $SYS.…, $LDS.…                    the servers' own

const GROUP_OF_DIRECT_GETS = "_sys_";

/** The servers' own traffic: neither sent up, nor announced, nor shown to anybody here. */
export function isSystem(subject: string): boolean {
  return subject.startsWith("$SYS.") || subject.startsWith("$LDS.");
}

/** Does this interest of the hub's mean that its JetStream can be asked? */
export function isJetStreamApi(filter: string): boolean {
  return filter.startsWith("$JS.") && (filter.startsWith("$JS.API.") || /^\$JS\.[^.]+\.API\./.test(filter));
}

/** Wanted by every hub. */
export function isAlwaysWanted(subject: string): boolean {
  return subject.startsWith("_R_.") || subject.startsWith("_GR_.");
}

/** Wanted by a hub with JetStream. */
export function isWantedByJetStream(subject: string): boolean {
  return subject.startsWith("$KV.") || subject.startsWith("$JS.ACK.") || subject.startsWith("$JS.FC.");
}

/** The queue group to name for `subject` although the hub announces none. */
export function unannouncedGroup(subject: string): string | null {
  return subject.startsWith("$JS.API.DIRECT.GET.") ? GROUP_OF_DIRECT_GETS : null;
}
