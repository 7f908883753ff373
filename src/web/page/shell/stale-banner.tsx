// What is shown is old: said at once, and aloud. After a change of the page's own address: where it is now.

import { Notice } from "../ui/notice.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { useLive } from "./live.tsx";
import { useSession } from "./session.tsx";
import { trialOf } from "./trial.ts";
import { shellWords } from "./words.ts";

export function StaleBanner() {
  const text = useText(shellWords);
  const format = useFormat();
  const { memory } = useSession();
  const { isStale, hasEnded, heardAt } = useLive();
  const address = trialOf(memory)?.address;
  if (!isStale && !(hasEnded && address !== undefined)) return null;
  return (
    <div class="banner">
      {address === undefined ? (
        <Notice tone="bad" isAlert title={heardAt === 0 ? text("unreachable") : text("stale", { time: format.clock(heardAt) })}>
          {text("staleHint")}
        </Notice>
      ) : (
        <Notice
          tone="look"
          isAlert
          title={text("moved")}
          actions={
            <a class="button button-primary" href={address}>
              {text("loginThere")}
            </a>
          }
        >
          <p>
            <a href={address}>{address}</a>
          </p>
          <p>{text("movedHint")}</p>
        </Notice>
      )}
    </div>
  );
}
