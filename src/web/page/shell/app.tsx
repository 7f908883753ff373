// The shell around every view: the head with the verdict, the ways, the banners, and the view itself, loaded when it is looked at.

import { useEffect, useRef } from "preact/hooks";
import { useMedia } from "../ui/media.ts";
import { Notice } from "../ui/notice.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { useText } from "../words/catalogue.ts";
import { AppHead } from "./app-head.tsx";
import { LazyView } from "./lazy-view.tsx";
import { useLive } from "./live.tsx";
import { BottomWays, SideWays } from "./navigation.tsx";
import { PendingProvider } from "./pending.tsx";
import { PendingBanner } from "./pending-banner.tsx";
import { refusalWords } from "./refusal-words.ts";
import { goInstead, useRoute } from "./route.tsx";
import { StaleBanner } from "./stale-banner.tsx";
import { shellWords } from "./words.ts";

export function App() {
  const text = useText(shellWords);
  const { view } = useRoute();
  const { status, refusal, isStale } = useLive();
  const isWide = useMedia("(min-width: 56rem)"); // as in shell.css
  const content = useRef<HTMLElement>(null);
  useEffect(() => {
    if (view === "") goInstead("dashboard");
  }, [view]);
  return (
    <PendingProvider>
      <div class="app">
        <button type="button" class="skip" onClick={() => content.current?.focus()}>
          {text("skip")}
        </button>
        <AppHead />
        {isWide && <SideWays />}
        <main class="app-main" ref={content} tabIndex={-1}>
          <StaleBanner />
          <PendingBanner />
          {status !== undefined ? (
            <div class={isStale ? "app-old" : ""}>
              <LazyView view={view} />
            </div>
          ) : refusal !== undefined && refusal.status !== 0 ? (
            <Notice tone="bad" title={text("unreachable")} isAlert>
              {refusalWords(refusal, text)}
            </Notice>
          ) : (
            <Spinner label={text("asking")} />
          )}
        </main>
        {!isWide && <BottomWays />}
      </div>
    </PendingProvider>
  );
}
