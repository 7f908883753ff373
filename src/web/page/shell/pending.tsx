// A settings change that waits for its confirmation, and the seconds it has left. Asked for when the page opens, when the device is
// heard again, and when somebody who has just written settings says so; never on a schedule, which would keep an idle session alive.

import { type ComponentChildren, createContext } from "preact";
import { useCallback, useContext, useEffect, useMemo, useState } from "preact/hooks";
import { api } from "./api.ts";
import { useLive } from "./live.tsx";
import { hasRole, useSession } from "./session.tsx";

export interface Pending {
  readonly isInForce: boolean;
  /** By the browser's clock. */
  readonly revertsAt: number;
}

interface PendingHandle {
  readonly pending: Pending | undefined;
  /** Call it after settings were written, confirmed or taken back. */
  refresh(): Promise<void>;
}

const PendingContext = createContext<PendingHandle>({ pending: undefined, refresh: async () => undefined });

export function usePending(): PendingHandle {
  return useContext(PendingContext);
}

interface PendingAnswer {
  readonly pending: { readonly in_force: boolean; readonly reverts_in_seconds: number } | null;
}

export function PendingProvider({ children }: { readonly children: ComponentChildren }) {
  const { role, login } = useSession();
  const { isStale } = useLive();
  const [pending, setPending] = useState<Pending>();
  const mayAsk = hasRole(role, "technician");

  const ask = useCallback(
    async (isUnattended: boolean) => {
      if (!mayAsk) return;
      try {
        const { pending: now } = await api.get<PendingAnswer>("/api/settings", { isUnattended });
        setPending(
          now === null ? undefined : { isInForce: now.in_force, revertsAt: Date.now() + now.reverts_in_seconds * 1_000 },
        );
      } catch {
        setPending(undefined); // the banner of what does not answer says it already
      }
    },
    [mayAsk],
  );

  useEffect(() => {
    if (!isStale) void ask(true);
  }, [isStale, ask, login]);
  useEffect(() => {
    if (pending === undefined) return;
    const timer = setTimeout(() => void ask(true), Math.max(1_000, pending.revertsAt - Date.now() + 1_000));
    return () => clearTimeout(timer);
  }, [pending, ask]);

  const refresh = useCallback(() => ask(false), [ask]);
  const handle = useMemo(() => ({ pending, refresh }), [pending, refresh]);
  return <PendingContext.Provider value={handle}>{children}</PendingContext.Provider>;
}
