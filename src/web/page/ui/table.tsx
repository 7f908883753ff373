// biome-ignore-all lint/a11y/noRedundantRoles: laid out as cards, a table is none any more to some screen readers; its roles are said again
// Rows and columns; on a phone each row is a card with the column's name before each value.

import type { ComponentChildren } from "preact";

export interface Column<Row> {
  readonly key: string;
  readonly head: ComponentChildren;
  readonly align?: "end";
  readonly cell: (row: Row) => ComponentChildren;
}

interface TableProps<Row> {
  /** What the table is of; read out, not shown. */
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  /** Shown in place of a table without rows. */
  readonly empty?: ComponentChildren;
}

export function Table<Row>({ caption, columns, rows, keyOf, empty }: TableProps<Row>) {
  if (rows.length === 0 && empty !== undefined) return <>{empty}</>;
  return (
    <table class="table" role="table">
      <caption class="visually-hidden">{caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((column) => (
            <th key={column.key} role="columnheader" scope="col" class={column.align === "end" ? "table-end" : ""}>
              {column.head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr key={keyOf(row)} role="row">
            {columns.map((column) => (
              <td key={column.key} role="cell" class={column.align === "end" ? "table-end" : ""}>
                <span class="table-name" aria-hidden="true">
                  {column.head}
                </span>
                <span class="table-value">{column.cell(row)}</span>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
