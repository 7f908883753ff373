// Who shares a subscription within one account, for the messages that a lost member has not acknowledged [5.0 §4.8.2].
//
//   a connection breaks ─▶ QoS 1, and QoS 2 that was not begun ─▶ a member that is connected; if there is none, they stay where they are
//   a session ends ──────▶ the same ─────────────────────────────▶ a member that is connected, or one that is away and kept; else nobody
//
// QoS 2 that was begun is brought to its end with that member, or with nobody [MQTT5-4.8.2-4, MQTT5-4.8.2-5]. Members are those of the same
// group and filter; they come by MQTT, since what was acknowledged must not get lost on another door.
// Tests: test/conformance/mqtt/five-shared.test.ts

import type { Letter } from "./mail.ts";
import type { Owed, Share } from "./owed.ts";

export interface Member {
  readonly isConnected: boolean;
  readonly isEnded: boolean;
  /** Takes it over, as far as it may. False: it may not. */
  adopt(letter: Letter, qos: 0 | 1 | 2, share: Share): boolean;
  /** Sends what it took over. */
  flush(): void;
}

/** Where they come from. */
export interface Estate {
  /** Owed to nobody else; in the order of their numbers. */
  readonly owed: readonly Owed[];
  /** One of them has gone to somebody else, or will go to nobody. */
  settle(owed: Owed): void;
}

export class SharedGroups {
  /** True: everybody leaves, and nothing is handed over. */
  isClosing = false;
  readonly #members = new Map<string, Map<Member, Share>>();

  add(share: Share, member: Member): void {
    const key = keyOf(share);
    const members = this.#members.get(key);
    if (members === undefined) this.#members.set(key, new Map([[member, share]]));
    else members.set(member, share);
  }

  remove(share: Share, member: Member): void {
    const key = keyOf(share);
    const members = this.#members.get(key);
    if (members?.get(member) !== share) return;
    members.delete(member);
    if (members.size === 0) this.#members.delete(key);
  }

  /** Not from inside a routing pass. `hasEnded`: what finds nobody is over. */
  handOver(from: Member, { owed, settle }: Estate, hasEnded: boolean): void {
    const touched = new Set<Member>();
    const heirsByGroup = new Map<string, readonly (readonly [Member, Share])[]>(); // a long queue and a large group: looked up once
    let turn = 0;
    for (const one of owed) {
      let heirs: readonly (readonly [Member, Share])[] = [];
      if (!this.isClosing && one.share !== null) {
        const key = keyOf(one.share);
        heirs = heirsByGroup.get(key) ?? this.#heirsOf(key, from, hasEnded);
        heirsByGroup.set(key, heirs);
      }
      const heir = heirs.map((_, i) => heirs[(turn + i) % heirs.length]!).find(([member, share]) => give(one, member, share));
      turn += 1;
      if (heir !== undefined) touched.add(heir[0]);
      if (heir !== undefined || hasEnded) settle(one);
    }
    for (const member of touched) member.flush();
  }

  #heirsOf(key: string, from: Member, hasEnded: boolean): (readonly [Member, Share])[] {
    const others = [...(this.#members.get(key) ?? [])].filter(([member]) => member !== from && !member.isEnded);
    const present = others.filter(([{ isConnected }]) => isConnected);
    return present.length > 0 || !hasEnded ? present : others;
  }
}

function give({ letter }: Owed, to: Member, share: Share): boolean {
  return to.adopt(letter!, letter!.message.qos, share);
}

function keyOf({ queue, filter }: Share): string {
  return `${queue} ${filter}`; // neither holds a space
}
