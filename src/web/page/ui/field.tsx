// A labelled field: label, control, help, and what is wrong with it. The control inside finds its ids by itself:
//
//   <Field label="Name" help="Letters and digits" fault={fault}><Input value={name} onInput={setName} /></Field>

import { type ComponentChildren, createContext } from "preact";
import { useContext, useId } from "preact/hooks";
import { Icon } from "./icon.tsx";

interface FieldProps {
  readonly label: ComponentChildren;
  readonly help?: ComponentChildren;
  /** What is wrong with it, in words. */
  readonly fault?: ComponentChildren;
  /** Why it cannot be changed (decided by an environment variable, …). */
  readonly locked?: ComponentChildren;
  readonly children: ComponentChildren;
}

interface FieldIds {
  readonly id: string;
  readonly describedBy: string | undefined;
  readonly isFaulty: boolean;
  readonly isLocked: boolean;
}

const FieldContext = createContext<FieldIds | undefined>(undefined);

/** For controls: what ties them to the field around them. */
export function useField(): FieldIds {
  const own = useId();
  return useContext(FieldContext) ?? { id: own, describedBy: undefined, isFaulty: false, isLocked: false };
}

export function Field({ label, help, fault, locked, children }: FieldProps) {
  const id = useId();
  const parts = [
    [help, `${id}-help`],
    [fault, `${id}-fault`],
    [locked, `${id}-locked`],
  ] as const;
  const described = parts.filter(([part]) => part !== undefined && part !== "").map(([, name]) => name);
  const ids = {
    id,
    describedBy: described.length === 0 ? undefined : described.join(" "),
    isFaulty: fault !== undefined && fault !== "",
    isLocked: locked !== undefined && locked !== "",
  };
  return (
    <div class={`field ${ids.isFaulty ? "field-faulty" : ""}`}>
      <label for={id}>{label}</label>
      <FieldContext.Provider value={ids}>{children}</FieldContext.Provider>
      {ids.isFaulty && (
        <p class="field-fault" id={`${id}-fault`} role="alert">
          <Icon name="bad" /> {fault}
        </p>
      )}
      {ids.isLocked && (
        <p class="field-locked" id={`${id}-locked`}>
          <Icon name="lock" /> {locked}
        </p>
      )}
      {help !== undefined && help !== "" && (
        <p class="field-help" id={`${id}-help`}>
          {help}
        </p>
      )}
    </div>
  );
}
