// A short word on what was done, at the foot of the page. It is read out, goes by itself, and is never the only place that says it.

import { type ComponentChildren, createContext } from "preact";
import { useCallback, useContext, useState } from "preact/hooks";
import type { Tone } from "./badge.tsx";
import { Icon } from "./icon.tsx";

const SHOWN_MS = 5_000;
const TOASTS_MAX = 3;

type Toast = (text: string, tone?: Tone) => void;

const ToastContext = createContext<Toast>(() => undefined);

export function useToast(): Toast {
  return useContext(ToastContext);
}

export function ToastProvider({ children }: { readonly children: ComponentChildren }) {
  const [toasts, setToasts] = useState<readonly { readonly id: number; readonly text: string; readonly tone: Tone }[]>([]);
  const add = useCallback<Toast>((text, tone = "good") => {
    const id = performance.now();
    setToasts((now) => [...now.slice(1 - TOASTS_MAX), { id, text, tone }]);
    setTimeout(() => setToasts((now) => now.filter((each) => each.id !== id)), SHOWN_MS);
  }, []);
  return (
    <ToastContext.Provider value={add}>
      {children}
      <div class="toasts" role="status">
        {toasts.map(({ id, text, tone }) => (
          <p key={id} class={`toast tone-${tone}`}>
            <Icon name={tone} />
            {text}
          </p>
        ))}
      </div>
    </ToastContext.Provider>
  );
}
