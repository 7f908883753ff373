// Messages: what passes now, a test by hand, and who would get what. The subject goes along from one to the other.

import { useState } from "preact/hooks";
import { go, useRoute } from "../shell/route.tsx";
import { Tabs } from "../ui/tabs.tsx";
import { View } from "../ui/view.tsx";
import { useText } from "../words/catalogue.ts";
import { Explain } from "./explain.tsx";
import { LiveMessages } from "./live-messages.tsx";
import { SendTest } from "./send-test.tsx";
import { words } from "./words.ts";

const PANES = ["live", "send", "explain"] as const;

export function MessagesView() {
  const text = useText(words);
  const { rest } = useRoute();
  const [subject, setSubject] = useState(rest[1] ?? "");
  const pane = PANES.find((each) => each === rest[0]) ?? "live";
  return (
    <View title={text("title")}>
      <Tabs
        label={text("title")}
        tabs={PANES.map((id) => ({ id, label: text(id) }))}
        current={pane}
        onSelect={(id) => go(`messages/${id}`)}
      >
        {pane === "live" && (
          <LiveMessages
            onAsk={(about) => {
              setSubject(about);
              go("messages/explain");
            }}
          />
        )}
        {pane === "send" && <SendTest subject={subject} onSubject={setSubject} />}
        {pane === "explain" && <Explain subject={subject} onSubject={setSubject} />}
      </Tabs>
    </View>
  );
}
