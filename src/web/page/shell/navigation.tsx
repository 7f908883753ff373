// The ways through the page: a column at the side, or on a phone a row at the thumb with the rest behind "More".

import { useEffect, useState } from "preact/hooks";
import { Dialog } from "../ui/dialog.tsx";
import { Icon } from "../ui/icon.tsx";
import { useText } from "../words/catalogue.ts";
import { Choices } from "./choices.tsx";
import { Link, useRoute } from "./route.tsx";
import { hasRole, useSession } from "./session.tsx";
import { type Way, ways } from "./ways.ts";
import { shellWords } from "./words.ts";

export function SideWays() {
  const text = useText(shellWords);
  const { role } = useSession();
  return (
    <nav class="side" aria-label={text("navigation")}>
      {ways
        .filter(({ least }) => hasRole(role, least))
        .map((way) => (
          <WayLink key={way.view} way={way} />
        ))}
      <AccountLink />
    </nav>
  );
}

export function BottomWays() {
  const text = useText(shellWords);
  const { role } = useSession();
  const { view } = useRoute();
  const [isOpen, setOpen] = useState(false);
  useEffect(() => setOpen(false), [view]);
  const mine = ways.filter(({ least }) => hasRole(role, least));
  const isElsewhere = !mine.some((way) => way.isNear && way.view === view);
  return (
    <nav class="bottom" aria-label={text("navigation")}>
      {mine
        .filter(({ isNear }) => isNear)
        .map((way) => (
          <WayLink key={way.view} way={way} />
        ))}
      <button
        type="button"
        class={`way ${isElsewhere ? "way-here" : ""}`}
        aria-haspopup="dialog"
        aria-expanded={isOpen}
        onClick={() => setOpen(true)}
      >
        <Icon name="more" />
        <span>{text("more")}</span>
      </button>
      {isOpen && (
        <Dialog title={text("more")} onClose={() => setOpen(false)}>
          <div class="more">
            {mine
              .filter(({ isNear }) => !isNear)
              .map((way) => (
                <WayLink key={way.view} way={way} />
              ))}
            <AccountLink />
            <Choices />
          </div>
        </Dialog>
      )}
    </nav>
  );
}

function WayLink({ way }: { readonly way: Way }) {
  const text = useText(shellWords);
  const { view } = useRoute();
  const isHere = view === way.view;
  return (
    <Link to={way.view} class={`way ${isHere ? "way-here" : ""}`} aria-current={isHere ? "page" : undefined}>
      <Icon name={way.icon} />
      <span>{text(way.view)}</span>
    </Link>
  );
}

function AccountLink() {
  const text = useText(shellWords);
  const { user, role } = useSession();
  const { view } = useRoute();
  const isHere = view === "account";
  return (
    <Link to="account" class={`way way-account ${isHere ? "way-here" : ""}`} aria-current={isHere ? "page" : undefined}>
      <Icon name="user" />
      <span>
        {user}
        <small>{text(`role_${role}`)}</small>
      </span>
    </Link>
  );
}
