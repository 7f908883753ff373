// A question or a form over the page. Escape and the cross close it; the focus goes back to where it was.

import type { ComponentChildren } from "preact";
import { useContext, useEffect, useId, useRef } from "preact/hooks";
import { useText } from "../words/catalogue.ts";
import { Button } from "./button.tsx";
import { CoveredContext } from "./covered.ts";
import { uiWords } from "./words.ts";

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  /** Buttons at its foot, the most likely one last. */
  readonly actions?: ComponentChildren;
}

export function Dialog({ title, onClose, children, actions }: DialogProps) {
  const id = useId();
  const text = useText(uiWords);
  const element = useRef<HTMLDialogElement>(null);
  const isCovered = useContext(CoveredContext);
  useEffect(() => {
    const before = document.activeElement;
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  useEffect(() => {
    const dialog = element.current!;
    if (isCovered) return undefined;
    dialog.showModal();
    return () => dialog.close();
  }, [isCovered]);
  return (
    <dialog
      ref={element}
      class="dialog"
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <header class="dialog-head">
        <h2 id={id}>{title}</h2>
        <Button kind="quiet" icon="close" label={text("close")} onClick={onClose} />
      </header>
      <div class="dialog-body">{children}</div>
      {actions !== undefined && <footer class="actions dialog-foot">{actions}</footer>}
    </dialog>
  );
}
