// What every field of the form needs: the document, its faults, its locks, and how to change it.

import { createContext } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";
import { effectiveAt, resetAt, setAt } from "./edit-document.ts";
import { formatPath, isSame, isWithin, type Json, type Path, parsePath, valueAt } from "./json.ts";
import type { PlacedFault } from "./place-faults.ts";
import type { ObjectShape } from "./shape.ts";
import type { Lock } from "./use-settings.ts";

export interface FormState {
  readonly root: ObjectShape;
  readonly document: Json;
  /** What is on the device. */
  readonly saved: Json;
  readonly faults: readonly PlacedFault[];
  readonly overridden: readonly Lock[];
  /** The setting to be shown and focused; what is folded around it unfolds. */
  readonly target: string | undefined;
  edit(document: Json): void;
}

export const FormContext = createContext<FormState | undefined>(undefined);

export interface Form extends FormState {
  /** As the device reads it: the default where nothing is written, the variable's where one decides. */
  value(path: Path): Json | undefined;
  isWritten(path: Path): boolean;
  isChanged(path: Path): boolean;
  faultsAt(path: Path): readonly PlacedFault[];
  faultsWithin(path: Path): number;
  /** The environment variable that decides it. */
  lockOf(path: Path): string | undefined;
  set(path: Path, value: Json): void;
  reset(path: Path): void;
}

export function useForm(): Form {
  const form = useContext(FormContext);
  if (form === undefined) throw new Error("used outside of the settings' form");
  const { root, document, saved, faults, overridden, edit } = form;
  const lockAt = (path: Path) => overridden.findLast((lock) => isWithin(formatPath(path), lock.path));
  return {
    ...form,
    value: (path) => {
      const lock = lockAt(path);
      return effectiveAt(root, lock === undefined ? document : setAt(root, document, parsePath(lock.path), lock.value), path);
    },
    isWritten: (path) => valueAt(document, path) !== undefined,
    isChanged: (path) => !isSame(valueAt(document, path), valueAt(saved, path)),
    faultsAt: (path) => faults.filter(({ at }) => at === formatPath(path)),
    faultsWithin: (path) => faults.filter(({ at }) => isWithin(at, formatPath(path))).length,
    lockOf: (path) => lockAt(path)?.variable,
    set: (path, value) => edit(setAt(root, document, path, value)),
    reset: (path) => edit(resetAt(root, document, path)),
  };
}

/** Open or folded; opens by itself when the target is inside. */
export function useFolded(path: Path, isOpenAtFirst: boolean): readonly [isOpen: boolean, setOpen: (isOpen: boolean) => void] {
  const { target } = useForm();
  const [isOpen, setOpen] = useState(isOpenAtFirst);
  const holdsTarget = target !== undefined && isWithin(target, formatPath(path));
  useEffect(() => {
    if (holdsTarget) setOpen(true);
  }, [holdsTarget, target]);
  return [isOpen || holdsTarget, setOpen];
}
