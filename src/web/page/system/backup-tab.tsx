// A sealed copy of what makes this device itself, and the way back from one.

import { useState } from "preact/hooks";
import { RestartNotice } from "../settings/restart-notice.tsx";
import { api } from "../shell/api.ts";
import { useStatus } from "../shell/live.tsx";
import { usePending } from "../shell/pending.tsx";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { ConfirmDialog } from "../ui/confirm-dialog.tsx";
import { Field } from "../ui/field.tsx";
import { Input } from "../ui/input.tsx";
import { Notice } from "../ui/notice.tsx";
import { useToast } from "../ui/toast.tsx";
import { useText } from "../words/catalogue.ts";
import { deviceWords } from "./device-words.ts";
import { FileInput } from "./file-input.tsx";
import { base64Of, saveAs } from "./files.ts";
import { useLoaded } from "./use-loaded.ts";

const PASSPHRASE_CHARS_MIN = 10;

export function BackupTab() {
  return (
    <>
      <MakeBackup />
      <RestoreBackup />
    </>
  );
}

function MakeBackup() {
  const text = useText(deviceWords);
  const toast = useToast();
  const { server_name: name, now } = useStatus();
  const [passphrase, setPassphrase] = useState("");
  const [again, setAgain] = useState("");
  const [password, setPassword] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  const differs = again !== "" && again !== passphrase;
  const isReady = [...passphrase].length >= PASSPHRASE_CHARS_MIN && again === passphrase && password !== "";
  const run = async () => {
    setBusy(true);
    setFailure("");
    try {
      saveAs(await api.bytes("/api/backup", { passphrase, password }), `${name}-${now.slice(0, 10)}.backup`);
      toast(text("backup_done"));
      for (const clear of [setPassphrase, setAgain, setPassword]) clear("");
    } catch (error) {
      setFailure((error as Error).message);
    }
    setBusy(false);
  };
  return (
    <Card title={text("backup")} lead={text("backup_lead")}>
      <div class="form sys-narrow">
        <Field label={text("passphrase")} help={text("passphrase_help")}>
          <Input type="password" autoComplete="new-password" value={passphrase} onInput={setPassphrase} />
        </Field>
        <Field label={text("passphrase_again")} {...(differs ? { fault: text("passphrase_differs") } : {})}>
          <Input type="password" autoComplete="new-password" value={again} onInput={setAgain} />
        </Field>
        <Field label={text("password")}>
          <Input type="password" autoComplete="current-password" value={password} onInput={setPassword} />
        </Field>
        {failure !== "" && (
          <Notice tone="bad" isAlert>
            <span lang="en">{failure}</span>
          </Notice>
        )}
        <Button kind="primary" icon="download" disabled={!isReady} busy={isBusy} onClick={() => void run()}>
          {text("backup_do")}
        </Button>
      </div>
    </Card>
  );
}

interface Restored {
  readonly logged_out: boolean;
}

function RestoreBackup() {
  const text = useText(deviceWords);
  const toast = useToast();
  const { refresh } = usePending();
  const [file, setFile] = useState<File>();
  const [passphrase, setPassphrase] = useState("");
  const [isAsking, setAsking] = useState(false);
  // It waits for a restart until the device has run for less long than it had then, whoever logs in meanwhile.
  const [doneAt, setDoneAt] = useState<number>();
  const { uptime_seconds: uptime } = useStatus();
  const settings = useLoaded(() => api.get<{ readonly restart_needed: boolean }>("/api/settings"));
  const isWaiting = doneAt === undefined ? settings.value?.restart_needed === true : uptime >= doneAt;
  const restore = async (password: string) => {
    const backup = await base64Of(file!);
    const { logged_out: isLoggedOut } = await api.post<Restored>("/api/restore", { passphrase, password, backup });
    setAsking(false);
    setPassphrase("");
    setDoneAt(uptime);
    toast(text(isLoggedOut ? "restored_users" : "restored"));
    // The users are others now: asking for anything brings up the login.
    await (isLoggedOut ? api.get("/api/status").catch(() => undefined) : refresh());
  };
  return (
    <Card title={text("restore")} lead={text("restore_lead")}>
      <div class="form sys-narrow">
        <Field label={text("file")}>
          <FileInput onFile={setFile} />
        </Field>
        <Field label={text("passphrase")}>
          <Input type="password" autoComplete="off" value={passphrase} onInput={setPassphrase} />
        </Field>
        {isWaiting && <RestartNotice title={text("restored")} />}
        <Button icon="upload" disabled={file === undefined || passphrase === ""} onClick={() => setAsking(true)}>
          {text("restore_do")}
        </Button>
      </div>
      {isAsking && (
        <ConfirmDialog
          title={text("restore_sure")}
          confirm={text("restore_do")}
          isDanger
          asksPassword
          onCancel={() => setAsking(false)}
          onConfirm={restore}
        >
          <p>{text("restore_lead")}</p>
        </ConfirmDialog>
      )}
    </Card>
  );
}
