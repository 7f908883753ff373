// "Do you really want to …?", with the password again where it cannot be undone. What goes wrong is said in the dialog, which stays.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { useText } from "../words/catalogue.ts";
import { Button } from "./button.tsx";
import { Dialog } from "./dialog.tsx";
import { Field } from "./field.tsx";
import { Input } from "./input.tsx";
import { Notice } from "./notice.tsx";
import { uiWords } from "./words.ts";

interface ConfirmDialogProps {
  readonly title: string;
  readonly children: ComponentChildren;
  /** What the button says: the deed, not "OK". */
  readonly confirm: string;
  readonly isDanger?: boolean;
  /** Asks for one's own password again and hands it over. */
  readonly asksPassword?: boolean;
  /** Asks to type this word. */
  readonly asksWord?: string;
  /** The dialog waits for it, and shows its error. */
  readonly onConfirm: (password: string) => Promise<void> | void;
  readonly onCancel: () => void;
}

export function ConfirmDialog({
  title,
  children,
  confirm,
  isDanger = false,
  asksPassword = false,
  ...props
}: ConfirmDialogProps) {
  const { asksWord, onConfirm, onCancel } = props;
  const text = useText(uiWords);
  const [password, setPassword] = useState("");
  const [word, setWord] = useState("");
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState("");
  const isReady = (!asksPassword || password !== "") && (asksWord === undefined || word.trim() === asksWord);
  const run = async () => {
    if (!isReady || busy) return;
    setBusy(true);
    setFault("");
    try {
      await onConfirm(password);
    } catch (error) {
      setFault((error as Error).message);
    }
    setBusy(false);
  };
  return (
    <Dialog
      title={title}
      onClose={onCancel}
      actions={
        <>
          <Button onClick={onCancel}>{text("cancel")}</Button>
          <Button kind={isDanger ? "danger" : "primary"} disabled={!isReady} busy={busy} onClick={run}>
            {confirm}
          </Button>
        </>
      }
    >
      {children}
      {asksWord !== undefined && (
        <Field label={text("typeWord", { word: asksWord })}>
          <Input value={word} onInput={setWord} />
        </Field>
      )}
      {asksPassword && (
        <Field label={text("yourPassword")}>
          <Input type="password" autoComplete="current-password" value={password} onInput={setPassword} onEnter={run} />
        </Field>
      )}
      {fault !== "" && (
        <Notice tone="bad" isAlert>
          <span lang="en">{fault}</span>
        </Notice>
      )}
    </Dialog>
  );
}
