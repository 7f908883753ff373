// A file of the phone or the computer.

import { useField } from "../ui/field.tsx";

export function FileInput({ onFile }: { readonly onFile: (file: File | undefined) => void }) {
  const { id, describedBy } = useField();
  return (
    <input
      id={id}
      class="sys-file"
      type="file"
      aria-describedby={describedBy}
      onChange={(event) => onFile(event.currentTarget.files?.[0])}
    />
  );
}
