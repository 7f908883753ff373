// A stranger's words on the page, kept apart from ours: in their own direction, breaking anywhere, with nothing hidden in them.

import { visible } from "./visible.ts";

interface RawProps {
  readonly text: string;
  /** Typed for machines: subjects, identities. */
  readonly isMono?: boolean;
}

export function Raw({ text, isMono = false }: RawProps) {
  return <bdi class={isMono ? "raw mono" : "raw"}>{visible(text)}</bdi>;
}
