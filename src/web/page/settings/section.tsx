// Settings that belong together, with a heading; what few need is folded away below.

import { Badge } from "../ui/badge.tsx";
import { Icon } from "../ui/icon.tsx";
import { useText } from "../words/catalogue.ts";
import { useFolded, useForm } from "./form-context.ts";
import { formatPath, isObject, type Path } from "./json.ts";
import { usePieces } from "./pieces.ts";
import { FaultLines, SettingName } from "./setting-words.tsx";
import type { Field, ObjectShape } from "./shape.ts";
import { isInFront, isMeant } from "./what-matters.ts";
import { words } from "./words.ts";

interface SectionProps {
  readonly path: Path;
  readonly field: Field;
  readonly shape: ObjectShape;
  readonly level: number;
}

export function Section({ path, field, shape, level }: SectionProps) {
  return (
    <section class="set-section" aria-label={formatPath(path)}>
      <SectionHead path={path} field={field} level={level} />
      <Fields path={path} shape={shape} level={level + 1} />
    </section>
  );
}

export function SectionHead({ path, field, level }: Omit<SectionProps, "shape">) {
  const Heading = `h${Math.min(6, level)}` as "h3";
  return (
    <div class="set-head">
      <Heading class="set-heading">
        <SettingName path={path} field={field} />
      </Heading>
      {field.help !== "" && <p class="field-help">{field.help}</p>}
      <FaultLines path={path} />
    </div>
  );
}

/** The fields of an object; those that are folded away come out when they are written, wrong or looked for. */
export function Fields({ path, shape, level }: { readonly path: Path; readonly shape: ObjectShape; readonly level: number }) {
  const form = useForm();
  const { Setting } = usePieces();
  const object = form.value(path);
  const type = isObject(object) ? (object["type"] ?? shape.fields.find(({ key }) => key === "type")?.fallback) : undefined;
  const place = formatPath(path);
  const isFront = (field: Field) =>
    form.isWritten([...path, field.key]) ||
    form.isChanged([...path, field.key]) ||
    form.faultsWithin([...path, field.key]) > 0 ||
    (isInFront(place, field) && isMeant(field, shape, type));
  const front = shape.fields.filter(isFront);
  const rest = shape.fields.filter((field) => !isFront(field) && isMeant(field, shape, type));
  return (
    <>
      {front.map((field) => (
        <Setting key={field.key} path={[...path, field.key]} field={field} level={level} />
      ))}
      {rest.length > 0 && <More path={path} fields={rest} level={level} />}
    </>
  );
}

function More({ path, fields, level }: { readonly path: Path; readonly fields: readonly Field[]; readonly level: number }) {
  const text = useText(words);
  const { target } = useForm();
  const { Setting } = usePieces();
  const holdsTarget = fields.some(({ key }) => target?.startsWith(formatPath([...path, key])) === true);
  const [isOpen, setOpen] = useFolded(holdsTarget ? path : ["", "never"], false);
  return (
    <div class="set-more">
      <button type="button" class="set-fold" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <Icon name={isOpen ? "down" : "next"} /> {text("more", { n: fields.length })}
      </button>
      {isOpen && fields.map((field) => <Setting key={field.key} path={[...path, field.key]} field={field} level={level} />)}
    </div>
  );
}

export function FaultBadge({ path }: { readonly path: Path }) {
  const text = useText(words);
  const count = useForm().faultsWithin(path);
  return count === 0 ? null : <Badge tone="bad">{text("faults", { n: count })}</Badge>;
}
