// To the hub and back, as far as it can be proved, and said for each half: a message that the hub confirmed, or only that its bytes
// come and go.

import { useState } from "preact/hooks";
import type { RemoteReport } from "#status/report.ts";
import { visible } from "../messages/visible.ts";
import { api } from "../shell/api.ts";
import { useStatus } from "../shell/live.tsx";
import { refusalWords } from "../shell/refusal-words.ts";
import { Link } from "../shell/route.tsx";
import { shellWords } from "../shell/words.ts";
import { Badge } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Icon } from "../ui/icon.tsx";
import { Notice } from "../ui/notice.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { subjectToken } from "./answers.ts";
import { wizardWords } from "./words.ts";

/** `message`: a message came through; `pong`: bytes do; null: nothing. */
interface Half {
  readonly by: "message" | "pong" | null;
  /** In English, with the reason. */
  readonly text: string;
}

/** Of the answer of `POST /api/test-message`. */
interface Proof {
  readonly remote: string;
  readonly there: Half;
  readonly back: Half;
  readonly rtt_ms: number | null;
}

export function TestMessage() {
  const text = useText(wizardWords);
  const shellText = useText(shellWords);
  const status = useStatus();
  const [busy, setBusy] = useState(false);
  const [proofs, setProofs] = useState<readonly Proof[]>([]);
  const [refusal, setRefusal] = useState("");
  const subject = `petiole.test.${subjectToken(status.server_name)}`;
  const send = async () => {
    setBusy(true);
    setProofs([]);
    setRefusal("");
    try {
      setProofs((await api.post<{ readonly remotes: readonly Proof[] }>("/api/test-message")).remotes);
    } catch (error) {
      setRefusal(refusalWords(error, shellText));
    }
    setBusy(false);
  };
  if (status.remotes.length === 0) return <Notice tone="idle">{text("noHubSet")}</Notice>;
  return (
    <Card title={text("link")}>
      {status.remotes.map((remote) => (
        <LinkLine key={remote.name} remote={remote} />
      ))}
      <p class="field-help">{text("sendTestHelp", { subject })}</p>
      <div class="actions">
        <Button kind="primary" icon="send" busy={busy} onClick={send}>
          {text("sendTest")}
        </Button>
      </div>
      {refusal !== "" && (
        <Notice tone="bad" isAlert>
          {refusal}
        </Notice>
      )}
      {proofs.map((proof) => (
        <ProofNotice key={proof.remote} proof={proof} isNamed={proofs.length > 1} />
      ))}
    </Card>
  );
}

function ProofNotice({ proof, isNamed }: { readonly proof: Proof; readonly isNamed: boolean }) {
  const text = useText(wizardWords);
  const { there, back } = proof;
  const isBroken = there.by === null || back.by === null;
  const tone = isBroken ? "bad" : there.by === "message" ? "good" : "look";
  const verdict = text(isBroken ? "testBroken" : there.by === "message" ? "testBoth" : "testBytes");
  const title = isNamed ? `${visible(proof.remote)}: ${verdict}` : verdict;
  return (
    <Notice tone={tone} isAlert title={title}>
      <ul class="wizard-halves">
        <HalfLine words={text(`there_${there.by ?? "nothing"}`)} half={there} />
        <HalfLine words={text(`back_${back.by ?? "nothing"}`)} half={back} />
      </ul>
      {isBroken && <Link to="doctor">{text("askDoctor")}</Link>}
    </Notice>
  );
}

/** The device's own words only where there is something to find out. */
function HalfLine({ words, half }: { readonly words: string; readonly half: Half }) {
  return (
    <li>
      <Icon name={half.by === null ? "bad" : "good"} />
      <span>
        {words}
        {half.by !== "message" && (
          <span class="field-help" lang="en">
            {" "}
            {half.text}
          </span>
        )}
      </span>
    </li>
  );
}

function LinkLine({ remote }: { readonly remote: RemoteReport }) {
  const text = useText(wizardWords);
  const format = useFormat();
  const { state, url, rtt_ms: rtt, last_error: error } = remote.link;
  const isDown = state === "waiting" || state === "stopped";
  return (
    <div>
      <p>
        <Badge tone={state === "ready" ? "good" : isDown ? "bad" : "look"}>
          {text(state === "ready" ? "linkReady" : isDown ? "linkDown" : "linkTrying")}
        </Badge>{" "}
        <code>{url}</code>
      </p>
      {state === "ready" && rtt !== null && <p>{text("roundTrip", { time: format.milliseconds(rtt) })}</p>}
      {state !== "ready" && error !== null && (
        <Notice tone="look" actions={<Link to="doctor">{text("askDoctor")}</Link>}>
          <span lang="en">{error.message}</span>
        </Notice>
      )}
    </div>
  );
}
