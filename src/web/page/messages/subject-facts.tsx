// What a subject means here: its topic, the rule it falls under, and who listens, here and at each hub.

import { Badge } from "../ui/badge.tsx";
import { Facts } from "../ui/facts.tsx";
import { useText } from "../words/catalogue.ts";
import { explainWords } from "./explain-words.ts";
import { Raw } from "./raw.tsx";
import { visible } from "./visible.ts";
import { words } from "./words.ts";

/** The answer of `GET /api/subjects/explain`. */
export interface Explanation {
  readonly subject: string;
  readonly account: string;
  readonly valid: boolean;
  readonly fault: string | null;
  readonly topic: string | null;
  readonly is_reserved: boolean;
  readonly rule: { readonly index: number; readonly class: string; readonly keep: string; readonly confirm: string } | null;
  readonly hub_interest: boolean | null;
  readonly local_subscriptions: number;
  readonly remotes: readonly {
    readonly remote: string;
    readonly is_linked: boolean;
    readonly listening: "now" | "before" | "never" | "unknown";
    readonly may_pass: boolean;
  }[];
}

interface SubjectFactsProps {
  readonly explained: Pick<Explanation, "topic" | "rule" | "local_subscriptions" | "remotes">;
}

const HEARING = {
  now: ["good", "now"],
  before: ["look", "before"],
  never: ["look", "never_heard"],
  unknown: ["idle", "unknown"],
} as const;

export function SubjectFacts({ explained: { topic, rule, local_subscriptions: listeners, remotes } }: SubjectFactsProps) {
  const text = useText(explainWords);
  const common = useText(words);
  const said = (word: string) => (Object.hasOwn(explainWords, word) ? text(word as keyof typeof explainWords) : word);
  return (
    <Facts
      items={[
        ...(topic === null ? [] : [[common("topic"), <Raw key="topic" text={topic} isMono />] as const]),
        [text("rule"), rule === null ? text("no_rule") : text("rule_no", { n: rule.index + 1, class: rule.class })],
        ...(rule === null
          ? []
          : ([
              [text("kept"), said(rule.keep)],
              [text("confirmed"), said(rule.confirm)],
            ] as const)),
        [
          text("here"),
          <Badge key="here" tone={listeners > 0 ? "good" : "idle"}>
            {listeners > 0 ? text("listeners", { n: listeners }) : text("nobody")}
          </Badge>,
        ],
        ...remotes.map(({ remote, listening, may_pass: mayPass }) => {
          const [tone, key] = HEARING[listening];
          return [
            text("hub_of", { remote: visible(remote) }),
            <Badge key={remote} tone={mayPass ? tone : "bad"}>
              {text(mayPass ? key : "may_not")}
            </Badge>,
          ] as const;
        }),
      ]}
    />
  );
}
