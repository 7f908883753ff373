// Where the page is: "#/devices/serial/weather" is the view `devices` with the rest ["serial", "weather"]. In the hash, so that no
// request is made and the browser's back button works.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

export interface Route {
  readonly view: string;
  readonly rest: readonly string[];
}

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const onChange = () => setHash(location.hash);
    addEventListener("hashchange", onChange);
    onChange(); // it may have changed since this was drawn
    return () => removeEventListener("hashchange", onChange);
  }, []);
  return parseRoute(hash);
}

/** `path` without "#/"; each part is encoded already (`encodeURIComponent`) where it may hold a slash. */
export function go(path: string): void {
  location.hash = `/${path}`;
}

/** The same place by another address: no new entry in the browser's history. */
export function goInstead(path: string): void {
  location.replace(`#/${path}`);
}

export function parseRoute(hash: string): Route {
  const [view = "", ...rest] = hash
    .replace(/^#?\/?/, "")
    .split("/")
    .map(decoded);
  return { view, rest: rest.filter((part) => part !== "") };
}

interface LinkProps {
  readonly to: string;
  readonly class?: string;
  readonly children: ComponentChildren;
  readonly "aria-current"?: "page" | undefined;
  readonly "aria-label"?: string;
}

export function Link({ to, children, ...rest }: LinkProps): JSX.Element {
  return (
    <a href={`#/${to}`} {...rest}>
      {children}
    </a>
  );
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // typed by hand
  }
}
