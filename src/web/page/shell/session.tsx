// Who is logged in, for every view below. The gate (shell/gate.tsx) provides it; below the gate there is always somebody.

import { createContext } from "preact";
import { useContext } from "preact/hooks";

export const ROLES = ["viewer", "technician", "owner"] as const;

export type Role = (typeof ROLES)[number];

export interface Session {
  readonly user: string;
  readonly role: Role;
}

/** What the device says of whoever asks. */
export interface SessionAnswer {
  readonly claimed: boolean;
  readonly session: Session | null;
}

export interface SessionHandle extends Session {
  /** Another one after each login: what was asked of the device before may be old by then. */
  readonly login: number;
  /** Outlives a login of the same user that ended under their hands; never a log-out or another user. */
  readonly memory: Map<string, unknown>;
  signOut(): Promise<void>;
  /** What the device has just said: the page is theirs from now on, or nobody's. */
  meet(answer: SessionAnswer): void;
}

export const SessionContext = createContext<SessionHandle | undefined>(undefined);

export function useSession(): SessionHandle {
  const session = useContext(SessionContext);
  if (session === undefined) throw new Error("used outside of the gate");
  return session;
}

/** Each role may do what the one before it may. */
export function hasRole(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least);
}
