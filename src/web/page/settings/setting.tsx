// One setting, whatever its shape: decides which of the form's pieces shows it.
//
//   object ───────────▶ Section, with a Setting for each field
//   list of values ───▶ ValueList            list of objects ─▶ ItemList
//   can be off, or its default is not "off" ─▶ Part (a switch, and what is behind it)
//   union ────────────▶ Forms (which kind, and that one)
//   anything else ────▶ Scalar

import { useForm } from "./form-context.ts";
import { Forms } from "./forms.tsx";
import { ItemList } from "./item-list.tsx";
import { formatPath } from "./json.ts";
import { Part } from "./part.tsx";
import type { PieceProps, ShapedProps } from "./pieces.ts";
import { Scalar } from "./scalar.tsx";
import { Section } from "./section.tsx";
import { isPlain } from "./shape.ts";
import { ValueList } from "./value-list.tsx";

export function Setting({ path, field, level }: PieceProps) {
  return (
    <div class="set-setting" id={`set-${formatPath(path)}`}>
      <Shaped path={path} field={field} shape={field.shape} level={level} />
    </div>
  );
}

/** `shape`: the field's own, or what is inside of it. */
export function Shaped({ path, field, shape, level }: ShapedProps) {
  const form = useForm();
  switch (shape.kind) {
    case "object":
      return <Section path={path} field={field} shape={shape} level={level} />;
    case "list":
      return isPlain(shape.item) ? (
        <ValueList path={path} field={field} shape={shape} />
      ) : (
        <ItemList path={path} field={field} shape={shape} level={level} />
      );
    case "union":
      return <Forms path={path} field={field} shape={shape} level={level} />;
    case "nullable": {
      const isPart = !isPlain(shape.inner) || (field.fallback !== null && field.fallback !== undefined);
      if (isPart) return <Part path={path} field={field} inner={shape.inner} level={level} />;
      return <Scalar path={path} field={field} shape={shape.inner} canBeUnset />;
    }
    default:
      return <Scalar path={path} field={field} shape={shape} canBeUnset={form.value(path) === undefined && !field.isRequired} />;
  }
}
