// What stands in place of something that is asked for.

import { Button } from "../ui/button.tsx";
import { Notice } from "../ui/notice.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { useText } from "../words/catalogue.ts";
import type { Loaded } from "./use-loaded.ts";
import { words } from "./words.ts";

export function Loading({ loaded }: { readonly loaded: Loaded<unknown> }) {
  const text = useText(words);
  if (loaded.failure === "") return <Spinner label={text("loading")} />;
  return (
    <Notice tone="bad" isAlert title={text("load_failed")} actions={<Button onClick={loaded.again}>{text("try_again")}</Button>}>
      <span lang="en">{loaded.failure}</span>
    </Notice>
  );
}
