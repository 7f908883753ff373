// Is all well? If not: what is wrong, what to do about it, and the device's own words for whoever is asked for help.

import type { StatusReport } from "#status/report.ts";
import { visibleLines } from "../messages/visible.ts";
import { Link } from "../shell/route.tsx";
import { hasRole, useSession } from "../shell/session.tsx";
import { Icon } from "../ui/icon.tsx";
import { useText } from "../words/catalogue.ts";
import { useColon } from "../words/colon.ts";
import { linkFaultWords } from "./link-words.ts";
import { ledgerWords } from "./outbox-words.ts";
import { troubleWords } from "./trouble-words.ts";
import { type Trouble, troublesOf } from "./troubles.ts";
import { words } from "./words.ts";

const TONES = { ok: "good", degraded: "look", failed: "bad" } as const;

interface VerdictProps {
  readonly status: StatusReport;
}

export function Verdict({ status }: VerdictProps) {
  const text = useText(words);
  const trouble = useText(troubleWords);
  const fault = useText(linkFaultWords);
  const ledger = useText(ledgerWords);
  const { verdict, reasons } = status.health;
  const tone = TONES[verdict];
  const troubles = verdict === "ok" ? [] : troublesOf(status, { trouble, fault, ledger, hasFault, hasTrouble });
  const mayAct = hasRole(useSession().role, "technician");
  const isAlone = status.remotes.length === 0;
  return (
    <section class={`dash-verdict tone-${tone}`} aria-labelledby="dash-verdict">
      <div class="dash-verdict-head">
        <span class="dash-verdict-sign">
          <Icon name={tone} />
        </span>
        <div aria-live="polite">
          <h2 id="dash-verdict">{text(verdict)}</h2>
          {verdict === "ok" && <p>{text(isAlone ? "ok_hint_alone" : "ok_hint")}</p>}
        </div>
        {mayAct && isAlone && (
          <Link to="wizard" class="button button-plain">
            <Icon name="hub" />
            <span>{text("set_up_hub")}</span>
          </Link>
        )}
        {mayAct && !isAlone && verdict !== "ok" && (
          <Link to="doctor" class="button button-plain">
            <Icon name="doctor" />
            <span>{text("run_doctor")}</span>
          </Link>
        )}
      </div>
      {troubles.length > 0 && (
        <ol class="dash-troubles">
          {troubles.map((each) => (
            <TroubleItem key={each.text} trouble={each} />
          ))}
        </ol>
      )}
      {reasons.length > 0 && (
        <details class="dash-own-words" open={troubles.length === 0}>
          <summary>{text("device_words")}</summary>
          <ul lang="en">
            {reasons.map((reason) => (
              <li key={reason}>
                <bdi>{visibleLines(reason)}</bdi>
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

function TroubleItem({ trouble }: { readonly trouble: Trouble }) {
  const text = useText(words);
  const colon = useColon();
  return (
    <li class={`dash-trouble tone-${trouble.tone}`}>
      <Icon name={trouble.tone} />
      <div>
        <p class="dash-trouble-what">{trouble.text}</p>
        <p>
          <b>
            {text("what_to_do")}
            {colon}
          </b>
          {trouble.remedy}
        </p>
      </div>
    </li>
  );
}

const hasFault = (key: string): key is keyof typeof linkFaultWords => Object.hasOwn(linkFaultWords, key);

const hasTrouble = (key: string): key is keyof typeof troubleWords => Object.hasOwn(troubleWords, key);
