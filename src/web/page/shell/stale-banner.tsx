// What is shown is old: said at once, and aloud, and how old by now. After a change of the page's own address: where it is now.

import { useEffect, useState } from "preact/hooks";
import { useRoom } from "../ui/make-room.ts";
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
  const room = useRoom("--room-top");
  const { memory } = useSession();
  const { isStale, hasEnded, heardAt } = useLive();
  const address = trialOf(memory)?.address;
  if (!isStale && !(hasEnded && address !== undefined)) return null;
  return (
    <div class="banner banner-stale" ref={room}>
      {address === undefined ? (
        <Notice tone="bad" isAlert title={heardAt === 0 ? text("unreachable") : text("stale", { time: format.clock(heardAt) })}>
          {heardAt !== 0 && <Age since={heardAt} />} {text("staleHint")}
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

/** Read out with the banner, not every second. */
function Age({ since }: { readonly since: number }) {
  const text = useText(shellWords);
  const format = useFormat();
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return (
    <span role="timer" aria-live="off">
      {text("staleAge", { time: format.duration(now - since) })}
    </span>
  );
}
