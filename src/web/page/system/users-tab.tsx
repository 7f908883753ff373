// Who may use this page, and what they may do.

import { useState } from "preact/hooks";
import { api } from "../shell/api.ts";
import { type Role, useSession } from "../shell/session.tsx";
import { shellWords } from "../shell/words.ts";
import { Button } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/confirm-dialog.tsx";
import { Table } from "../ui/table.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { Loading } from "./loading.tsx";
import { useLoaded } from "./use-loaded.ts";
import { UserDialog } from "./user-dialog.tsx";
import { words } from "./words.ts";

export interface PageUser {
  readonly user: string;
  readonly role: Role;
  readonly password_since: string;
}

interface Users {
  readonly users: readonly PageUser[];
}

type Asks = { readonly to: "add" } | { readonly to: "edit" | "remove"; readonly whom: PageUser };

export function UsersTab() {
  const text = useText(words);
  const shellText = useText(shellWords);
  const format = useFormat();
  const { user: own } = useSession();
  const loaded = useLoaded(() => api.get<Users>("/api/users"));
  const [asks, setAsks] = useState<Asks>();
  if (loaded.value === undefined) return <Loading loaded={loaded} />;
  const close = () => setAsks(undefined);
  const done = (now: Users) => {
    loaded.set(now);
    close();
  };
  const at = (whom: PageUser) => `/api/users/${encodeURIComponent(whom.user)}`;
  return (
    <>
      <p class="sys-hint">{text("not_devices")}</p>
      <Table
        caption={text("tab_users")}
        rows={loaded.value.users}
        keyOf={({ user }) => user}
        columns={[
          { key: "user", head: text("user"), cell: ({ user }) => (user === own ? `${user} (${text("you")})` : user) },
          { key: "role", head: text("role"), cell: ({ role }) => shellText(`role_${role}`) },
          { key: "since", head: text("since"), cell: ({ password_since: since }) => format.date(since) },
          {
            key: "deeds",
            head: <span class="visually-hidden">{text("save")}</span>,
            cell: (whom) => (
              <span class="actions sys-deeds">
                <Button
                  kind="quiet"
                  icon="edit"
                  label={text("edit_user", { user: whom.user })}
                  onClick={() => setAsks({ to: "edit", whom })}
                />
                {whom.user !== own && (
                  <Button
                    kind="quiet"
                    icon="remove"
                    label={text("remove_user", { user: whom.user })}
                    onClick={() => setAsks({ to: "remove", whom })}
                  />
                )}
              </span>
            ),
          },
        ]}
      />
      <div>
        <Button kind="primary" icon="add" onClick={() => setAsks({ to: "add" })}>
          {text("add_user")}
        </Button>
      </div>
      {asks?.to === "add" && (
        <UserDialog onClose={close} onSave={async (body) => done(await api.post<Users>("/api/users", body))} />
      )}
      {asks?.to === "edit" && (
        <UserDialog
          whom={asks.whom}
          onClose={close}
          onSave={async ({ role, password }) =>
            done(await api.put<Users>(at(asks.whom), { role, ...(password === "" ? {} : { password }) }))
          }
        />
      )}
      {asks?.to === "remove" && (
        <ConfirmDialog
          title={text("remove_user", { user: asks.whom.user })}
          confirm={text("remove_user", { user: asks.whom.user })}
          isDanger
          onCancel={close}
          onConfirm={async () => done(await api.del<Users>(at(asks.whom)))}
        >
          <p>{text("remove_text", { user: asks.whom.user })}</p>
        </ConfirmDialog>
      )}
    </>
  );
}
