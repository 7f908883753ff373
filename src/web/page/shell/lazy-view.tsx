// The view of a place; the views are loaded when the first one is looked at. What a view throws ends that view, not the page.

import { Component, type ComponentChildren, type ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Button } from "../ui/button.tsx";
import { Empty } from "../ui/empty.tsx";
import { Notice } from "../ui/notice.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { View } from "../ui/view.tsx";
import { useText } from "../words/catalogue.ts";
import { AccountView } from "./account-view.tsx";
import { Link } from "./route.tsx";
import { hasRole, useSession } from "./session.tsx";
import { ways } from "./ways.ts";
import { shellWords } from "./words.ts";

type Views = typeof import("./views.ts").views;

type Loaded =
  | { readonly at: "loading" }
  | { readonly at: "there"; readonly views: Views }
  | { readonly at: "failed"; readonly error: unknown };

export function LazyView({ view }: { readonly view: string }) {
  const text = useText(shellWords);
  const { role } = useSession();
  const [loaded, setLoaded] = useState<Loaded>({ at: "loading" });
  const way = ways.find((each) => each.view === view);
  useEffect(() => {
    let isWanted = true;
    import("./views.ts").then(
      ({ views }) => isWanted && setLoaded({ at: "there", views }),
      (error: unknown) => isWanted && setLoaded({ at: "failed", error }),
    );
    return () => {
      isWanted = false;
    };
  }, []);
  if (view === "account") return <AccountView />;
  if (view === "") return null;
  if (way === undefined || !hasRole(role, way.least))
    return (
      <View title={text(way === undefined ? "noSuchView" : "notAllowed")}>
        <Empty
          title={view}
          icon={way === undefined ? "help" : "lock"}
          actions={<Link to="dashboard">{text("dashboard")}</Link>}
        />
      </View>
    );
  if (loaded.at === "loading") return <Spinner label={text("loading")} />;
  if (loaded.at === "failed") return <Failed error={loaded.error} />;
  const Shown: ComponentType = loaded.views[way.view];
  return (
    <Fence key={view}>
      <Shown />
    </Fence>
  );
}

class Fence extends Component<{ readonly children: ComponentChildren }, { readonly error: unknown }> {
  override state = { error: undefined as unknown };

  static override getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    return this.state.error === undefined ? this.props.children : <Failed error={this.state.error} />;
  }
}

/** A view that does not load is one of another build, or the device is away. */
function Failed({ error }: { readonly error: unknown }) {
  const text = useText(shellWords);
  return (
    <View title={text("viewFailed")}>
      <Notice
        tone="bad"
        isAlert
        actions={
          <Button icon="refresh" onClick={() => location.reload()}>
            {text("reload")}
          </Button>
        }
      >
        {String(error)}
      </Notice>
    </View>
  );
}
