// A reporter for `node --test`: every result that our own runner needs, one JSON object a line. Loaded by Node inside each
// test process (scripts/lib/test-file.ts starts those), so it must be a default export.

import { inspect } from "node:util";

/** What a test process tells its runner. */
export type TestEvent =
  | { readonly kind: "began" | "ended"; readonly id: number; readonly name: string }
  /** This file holds a test that was reported. */
  | { readonly kind: "held"; readonly file: string }
  | { readonly kind: "failed"; readonly name: string; readonly line: number; readonly error: string }
  | { readonly kind: "skipped"; readonly name: string; readonly why: string }
  /** Something went wrong when the test that began it was over: no test fails by it, the process does. */
  | { readonly kind: "astray"; readonly words: string }
  | { readonly kind: "totals"; readonly passed: number; readonly failed: number; readonly skipped: number };

interface NodeTestEvent {
  readonly type: string;
  readonly data: {
    readonly name?: string;
    readonly file?: string;
    readonly nesting?: number;
    readonly testId?: number;
    readonly line?: number;
    readonly message?: string;
    readonly skip?: string | boolean;
    readonly todo?: string | boolean;
    readonly details?: { readonly type?: string; readonly error?: Error & { readonly failureType?: string } };
    readonly counts?: Readonly<Record<"passed" | "failed" | "cancelled" | "skipped" | "todo", number>>;
  };
}

// biome-ignore lint/style/noDefaultExport: Node loads a reporter by its default export
export default async function* testEvents(source: AsyncIterable<NodeTestEvent>): AsyncGenerator<string> {
  const open: string[] = []; // names of the tests under way, by depth
  for await (const { type, data } of source) {
    const depth = data.nesting ?? 0;
    if (type === "test:dequeue" || type === "test:complete") {
      const kind = type === "test:dequeue" ? "began" : "ended"; // told at once; the others wait for their turn to be reported
      yield `${JSON.stringify({ kind, id: data.testId ?? 0, name: data.name ?? "" } satisfies TestEvent)}\n`;
    }
    if (type === "test:start") open.splice(depth, Infinity, data.name ?? "");
    if (type === "test:pass" || type === "test:fail") {
      const isWholeFile = data.file?.endsWith(data.name ?? "") === true; // to Node a file without a test is one test, of its name
      if (depth === 0 && data.file !== undefined && !isWholeFile)
        yield `${JSON.stringify({ kind: "held", file: data.file } satisfies TestEvent)}\n`;
      const event = eventOf(type, data, [...open.slice(0, depth), data.name ?? ""].join(" › "));
      if (event !== undefined) yield `${JSON.stringify(event)}\n`;
    }
    if (type === "test:diagnostic" && data.message?.includes("asynchronous activity after the test ended") === true)
      yield `${JSON.stringify({ kind: "astray", words: data.message } satisfies TestEvent)}\n`;
    if (type === "test:summary" && data.counts !== undefined) {
      const { passed, failed, cancelled, skipped, todo } = data.counts;
      const totals: TestEvent = { kind: "totals", passed, failed: failed + cancelled, skipped: skipped + todo };
      yield `${JSON.stringify(totals)}\n`;
    }
  }
}

function eventOf(type: string, data: NodeTestEvent["data"], name: string): TestEvent | undefined {
  const skip = data.skip ?? data.todo;
  if (skip !== undefined && skip !== false) return { kind: "skipped", name, why: skip === true ? "" : skip };
  const error = data.details?.error;
  if (type === "test:pass" || error?.failureType === "subtestsFailed") return undefined; // the subtest tells
  return { kind: "failed", name, line: data.line ?? 0, error: inspect(error?.cause ?? error, { depth: 6 }) };
}
