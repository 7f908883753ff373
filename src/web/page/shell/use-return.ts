// The way back to where one was: title, place on the page and focus, which the login in between has taken.

import { useEffect, useRef } from "preact/hooks";

interface Place {
  readonly user: string;
  readonly title: string;
  readonly top: number;
  readonly focus: Element | null;
}

/** `user`: whose page it is. Looked at on the way out, when it is still as it was; taken up when it is shown to them again. */
export function useReturn(isShown: boolean, user: string | undefined): void {
  const place = useRef<Place | undefined>(undefined);
  const wasShown = useRef(false);
  if (user === undefined) place.current = undefined;
  else if (wasShown.current && !isShown)
    place.current = { user, title: document.title, top: scrollY, focus: document.activeElement };
  wasShown.current = isShown;
  useEffect(() => {
    if (!isShown || place.current === undefined || place.current.user !== user) return;
    const { title, top, focus } = place.current;
    document.title = title;
    scrollTo(0, top);
    if (focus instanceof HTMLElement && focus.isConnected) focus.focus({ preventScroll: true });
  }, [isShown, user]);
}
