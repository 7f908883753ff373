// Where the page will be after a change of its own address, said before the change and while it is tried: by then nothing can be asked.

import { Qr } from "../ui/qr.tsx";
import { useText } from "../words/catalogue.ts";
import type { Json } from "./json.ts";
import { addressAfter, originOf } from "./new-address.ts";
import { reviewWords } from "./review-words.ts";

/** Nothing where the page stays. */
export function MoveNotice({ web }: { readonly web: Json | undefined }) {
  const text = useText(reviewWords);
  const next = addressAfter(web, location);
  if (next === undefined) return <p>{text("no_page")}</p>;
  if (next === originOf(location)) return null;
  return (
    <div class="set-move">
      <div>
        <p>{text("moves")}</p>
        <p>
          <a class="set-move-address" href={next}>
            {next}
          </a>
        </p>
        <p>{text("moves_hint")}</p>
        {next.startsWith("https:") && location.protocol === "http:" && <p>{text("moves_https")}</p>}
      </div>
      <Qr text={next} label={next} />
    </div>
  );
}
