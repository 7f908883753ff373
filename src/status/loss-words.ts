// What became of lost messages, in words, and what to do about it where somebody should. One place for the page, the command line and
// the verdict.

interface LossWords {
  /** Behind "7 state messages". */
  readonly fate: string;
  /** What to do; null: it is as its owner wanted it, or the link's own fault has its own sentence. */
  readonly remedy: string | null;
}

const WORDS: Readonly<Record<string, LossWords>> = {
  displaced: {
    fate: "made room for newer ones",
    remedy: "bring the link back, raise outbox.max_bytes, or free space on the data volume",
  },
  expired: { fate: "grew older than max_age", remedy: null },
  thinned: { fate: "were thinned out", remedy: null },
  refused: {
    fate: "were refused",
    remedy: "the log has the words of whoever refused; look at the stream's limits, and at outbox.when_full",
  },
  corrupted: { fate: "were damaged on flash", remedy: "the card may be wearing out; replace it soon" },
  no_interest: { fate: "found nobody listening at the hub", remedy: null },
  not_permitted: { fate: "may not be sent to the hub", remedy: null },
  too_large: { fate: "are larger than the hub takes", remedy: null },
  link_down: { fate: "were not to be kept, and the link was down", remedy: null },
  link_slow: { fate: "were not to be kept, and the link could not take them", remedy: null },
};

/** Of messages that never got into the outbox: `when_full` turned them away. They have made no room for anything. */
const TURNED_AWAY: Readonly<Record<string, LossWords>> = {
  displaced: { fate: "found the outbox full", remedy: "bring the link back, or raise the limit that is reached" },
  refused: {
    fate: "were refused by a full outbox, each time they were tried",
    remedy: "bring the link back, or raise the limit that is reached; whoever sent them still has them",
  },
};

/** `urgency`: the class; null: never kept. A reason of a later version is its own word. */
export function lossWords(reason: string, urgency: string | null): LossWords {
  return (urgency === null ? TURNED_AWAY[reason] : undefined) ?? WORDS[reason] ?? { fate: `were lost: ${reason}`, remedy: null };
}

/** `1 state message was damaged on flash`, `12 messages of outbox.rules[1] grew older than max_age` */
export function lostMessages(messages: number, urgency: string | null, reason: string, rule: number | null = null): string {
  const { fate } = lossWords(reason, urgency);
  const verb = messages === 1 ? fate.replace(/^were /, "was ").replace(/^are /, "is ") : fate;
  return `${countOf(messages, urgency)}${rule === null ? "" : ` of outbox.rules[${rule}]`} ${verb}`;
}

/** `1 message`, `12 alarm messages` */
export function countOf(messages: number, urgency: string | null = null): string {
  return `${messages} ${urgency === null ? "" : `${urgency} `}${messages === 1 ? "message" : "messages"}`;
}
