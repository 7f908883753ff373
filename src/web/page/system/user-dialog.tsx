// A user, new or changed.

import { useState } from "preact/hooks";
import { NewPassword, PASSWORD_CHARS_MIN } from "../shell/new-password.tsx";
import { ROLES, type Role } from "../shell/session.tsx";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Field } from "../ui/field.tsx";
import { Input } from "../ui/input.tsx";
import { Notice } from "../ui/notice.tsx";
import { Select } from "../ui/select.tsx";
import { useText } from "../words/catalogue.ts";
import type { PageUser } from "./users-tab.tsx";
import { words } from "./words.ts";

interface UserDialogProps {
  /** Absent: a new one. */
  readonly whom?: PageUser;
  readonly onClose: () => void;
  readonly onSave: (user: { readonly user: string; readonly role: Role; readonly password: string }) => Promise<void>;
}

export function UserDialog({ whom, onClose, onSave }: UserDialogProps) {
  const text = useText(words);
  const [user, setUser] = useState(whom?.user ?? "");
  const [role, setRole] = useState<Role>(whom?.role ?? "technician");
  const [password, setPassword] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  const isNew = whom === undefined;
  const isGood =
    (isNew ? user.trim() !== "" && password.length >= PASSWORD_CHARS_MIN : true) &&
    (password === "" || password.length >= PASSWORD_CHARS_MIN);
  const save = async () => {
    setBusy(true);
    setFailure("");
    try {
      await onSave({ user: user.trim(), role, password });
    } catch (error) {
      setFailure((error as Error).message);
    }
    setBusy(false);
  };
  return (
    <Dialog
      title={isNew ? text("add_user") : text("edit_user", { user: whom.user })}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{text("cancel")}</Button>
          <Button kind="primary" disabled={!isGood} busy={isBusy} onClick={() => void save()}>
            {text("save")}
          </Button>
        </>
      }
    >
      {isNew && (
        <Field label={text("user")} help={text("user_rule")}>
          <Input value={user} onInput={setUser} autoComplete="off" />
        </Field>
      )}
      <Field label={text("role")}>
        <Select
          value={role}
          onChange={setRole}
          options={ROLES.map((each) => ({ value: each, label: text(`role_${each}_does`) }))}
        />
      </Field>
      <NewPassword label={text(isNew ? "first_password" : "new_password")} value={password} onInput={setPassword} />
      {!isNew && <p>{text("ends_sessions")}</p>}
      {failure !== "" && (
        <Notice tone="bad" isAlert>
          <span lang="en">{failure}</span>
        </Notice>
      )}
    </Dialog>
  );
}
