// Always in sight: which device this is, and how it is doing. The verdict leads to its reasons.

import { Badge, type Tone } from "../ui/badge.tsx";
import { useText } from "../words/catalogue.ts";
import { Brand } from "./brand.tsx";
import { useLive } from "./live.tsx";
import { Link } from "./route.tsx";
import { shellWords } from "./words.ts";

const TONES: Readonly<Record<string, Tone>> = { ok: "good", degraded: "look", failed: "bad" };

export function AppHead() {
  const text = useText(shellWords);
  const { status, isStale } = useLive();
  const verdict = isStale || status === undefined ? undefined : status.health.verdict;
  return (
    <header class="head">
      <Brand />
      {status !== undefined && <p class="head-name">{status.server_name}</p>}
      <Link to="dashboard" class="head-health" aria-label={`${text("health")}: ${text(`health_${verdict ?? "unknown"}`)}`}>
        <Badge tone={verdict === undefined ? "idle" : TONES[verdict]!}>{text(`health_${verdict ?? "unknown"}`)}</Badge>
      </Link>
    </header>
  );
}
