// The settings as the form has them: loaded, changed, judged by the device a moment after each change, written.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError, api } from "../shell/api.ts";
import { useSession } from "../shell/session.tsx";
import { draftIn, keepDraft } from "./draft-keeper.ts";
import { isSame, type Json } from "./json.ts";
import type { Fault } from "./place-faults.ts";
import { rebase } from "./rebase.ts";
import { type ObjectShape, shapeOf } from "./shape.ts";

export interface Change {
  readonly path: string;
  readonly before?: Json;
  readonly after?: Json;
}

/** What an environment variable decides, whatever the file says. */
export interface Lock {
  readonly path: string;
  readonly variable: string;
  readonly value: Json;
}

export interface SettingsAnswer {
  readonly document: Json;
  readonly revision: string;
  readonly overridden: readonly Lock[];
  readonly restart_needed: boolean;
  readonly pending: { readonly in_force: boolean; readonly reverts_in_seconds: number } | null;
}

export interface Judgement {
  readonly faults: readonly Fault[];
  readonly changes: readonly Change[];
  readonly risky: readonly string[];
  /** Top-level keys that come into force at once, and that wait for a restart. */
  readonly now: readonly string[];
  readonly at_restart: readonly string[];
}

export interface Saved extends SettingsAnswer, Judgement {
  readonly applied: "now" | "at restart";
}

export interface SettingsHandle {
  readonly root: ObjectShape;
  readonly answer: SettingsAnswer;
  /** What the form shows: the answer's document with the changes that are not saved. */
  readonly document: Json;
  readonly isDirty: boolean;
  /** Of the document as it is; undefined: not known yet. */
  readonly judgement: Judgement | undefined;
  /** Of the last document that was judged: they must not blink at every letter that is typed. */
  readonly faults: readonly Fault[];
  /** Why the device could not judge it. */
  readonly checkFailure: string;
  /** The device has other settings than those the changes were made from. */
  readonly isConflict: boolean;
  edit(document: Json): void;
  discard(): void;
  reload(): Promise<void>;
  /** Loads what is there now and puts one's own changes on top. */
  putOnTop(): Promise<void>;
  save(): Promise<Saved>;
}

const CHECK_AFTER_MS = 350;
const NOTHING: Judgement = { faults: [], changes: [], risky: [], now: [], at_restart: [] };

export type Loading = { readonly settings?: SettingsHandle; readonly failure: string; retry(): void };

export function useSettings(): Loading {
  const { memory, login } = useSession();
  const [root, setRoot] = useState<ObjectShape>();
  const [answer, setAnswer] = useState<SettingsAnswer>();
  const [document, setDocument] = useState<Json>({});
  const [failure, setFailure] = useState("");
  const [isConflict, setConflict] = useState(false);

  const start = useCallback(
    (now: SettingsAnswer) => {
      setAnswer(now);
      setDocument(now.document);
      setConflict(false);
      keepDraft(memory, undefined);
    },
    [memory],
  );

  const load = useCallback(async () => {
    setFailure("");
    try {
      const [schema, now] = await Promise.all([api.get("/api/settings/schema"), api.get<SettingsAnswer>("/api/settings")]);
      const shape = shapeOf(schema);
      if (shape.kind === "object") setRoot(shape);
      const draft = draftIn(memory);
      if (draft === undefined) return start(now);
      const isSameBase = draft.revision === now.revision;
      setAnswer(isSameBase ? now : { ...now, document: draft.base, revision: draft.revision });
      setDocument(draft.document);
      setConflict(!isSameBase);
    } catch (error) {
      setFailure((error as Error).message);
    }
  }, [memory, start]);
  useEffect(() => void load(), [load, login]); // after a login others may have changed them

  const isDirty = answer !== undefined && !isSame(document, answer.document);
  const { judgement, lastFaults, checkFailure, judge } = useJudgement(document, answer?.revision ?? "", isDirty, login);
  useEffect(() => {
    if (!isDirty) return undefined;
    const onLeave = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", onLeave);
    return () => removeEventListener("beforeunload", onLeave);
  }, [isDirty]);

  if (root === undefined || answer === undefined) return { failure, retry: () => void load() };
  const edit = (next: Json) => {
    setDocument(next);
    const { document: base, revision } = answer;
    keepDraft(memory, isSame(next, base) ? undefined : { base, revision, document: next });
  };
  const settings: SettingsHandle = {
    root,
    answer,
    document,
    isDirty,
    judgement: isDirty ? judgement : NOTHING,
    faults: isDirty ? lastFaults : [],
    checkFailure,
    isConflict,
    edit,
    discard: () => start(answer),
    reload: async () => start(await api.get<SettingsAnswer>("/api/settings")),
    putOnTop: async () => {
      const now = await api.get<SettingsAnswer>("/api/settings");
      const merged = rebase(answer.document, document, now.document) ?? {};
      setAnswer(now);
      setDocument(merged);
      setConflict(false);
      keepDraft(memory, { base: now.document, revision: now.revision, document: merged });
    },
    save: async () => {
      try {
        const saved = await api.put<Saved>("/api/settings", { document, revision: answer.revision });
        start(saved);
        return saved;
      } catch (error) {
        if (error instanceof ApiError && error.code === "WEB_CONFLICT") {
          const now = await api.get<SettingsAnswer>("/api/settings");
          setConflict(now.revision !== answer.revision);
        }
        if (error instanceof ApiError && error.faults.length > 0)
          judge({ ...(judgement ?? NOTHING), faults: error.faults as readonly Fault[] });
        throw error;
      }
    },
  };
  return { settings, failure, retry: () => void load() };
}

/** `login`: one that had ended judged nothing. */
function useJudgement(document: Json, revision: string, isDirty: boolean, login: number) {
  const [judged, setJudged] = useState<{ readonly of: Json; readonly judgement: Judgement }>();
  const [checkFailure, setCheckFailure] = useState("");
  const latest = useRef(document);
  latest.current = document;
  useEffect(() => {
    if (!isDirty) return undefined;
    const timer = setTimeout(async () => {
      try {
        const judgement = await api.post<Judgement>("/api/settings/check", { document, revision });
        if (latest.current !== document) return; // typed on meanwhile
        setJudged({ of: document, judgement });
        setCheckFailure("");
      } catch (error) {
        if (latest.current === document) setCheckFailure((error as Error).message);
      }
    }, CHECK_AFTER_MS);
    return () => clearTimeout(timer);
  }, [document, revision, isDirty, login]);
  return {
    judgement: judged?.of === document ? judged.judgement : undefined,
    lastFaults: judged?.judgement.faults ?? [],
    checkFailure,
    judge: (judgement: Judgement) => setJudged({ of: document, judgement }),
  };
}
