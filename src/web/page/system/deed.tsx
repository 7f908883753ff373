// A button with a question behind it, for what stops the device for a while or for good.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Button } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/confirm-dialog.tsx";
import type { IconName } from "../ui/icon.tsx";

interface DeedProps {
  readonly title: string;
  readonly icon: IconName;
  readonly confirm: string;
  readonly isDanger?: boolean;
  readonly asksPassword?: boolean;
  readonly asksWord?: string;
  readonly isDisabled?: boolean;
  /** What it does, in the question. */
  readonly children: ComponentChildren;
  readonly run: (password: string) => Promise<void>;
}

export function Deed({ title, icon, confirm, isDanger = false, isDisabled = false, children, run, ...asks }: DeedProps) {
  const [isAsking, setAsking] = useState(false);
  return (
    <>
      <Button kind={isDanger ? "danger" : "plain"} icon={icon} disabled={isDisabled} onClick={() => setAsking(true)}>
        {title}
      </Button>
      {isAsking && (
        <ConfirmDialog
          title={title}
          confirm={confirm}
          isDanger={isDanger}
          {...asks}
          onCancel={() => setAsking(false)}
          onConfirm={async (password) => {
            await run(password);
            setAsking(false);
          }}
        >
          {children}
        </ConfirmDialog>
      )}
    </>
  );
}
