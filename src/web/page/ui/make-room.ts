// What sticks to an edge of the screen makes room for itself, so that nothing that gets the focus is scrolled to below it (WCAG 2.4.11):
// its height is in the custom property, which the scroll padding of theme.css adds.

import type { RefCallback } from "preact";
import { useCallback, useRef } from "preact/hooks";

/** The ref of what sticks there. */
export function useRoom(property: "--room-top" | "--room-foot"): RefCallback<HTMLElement> {
  const observer = useRef<ResizeObserver>(undefined);
  return useCallback(
    (element) => {
      const { style } = document.documentElement;
      observer.current?.disconnect();
      if (element === null) return void style.removeProperty(property);
      observer.current = new ResizeObserver(() => style.setProperty(property, `${element.offsetHeight}px`));
      observer.current.observe(element);
    },
    [property],
  );
}
