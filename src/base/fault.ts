// What is wrong with a setting: where, what was wanted, what was found, what to do. One fault, one sentence.

export interface Fault {
  /** `leafnodes.remotes[0].urls[1]`; "" for the document itself. */
  readonly path: string;
  readonly kind: "invalid" | "missing" | "unknown" | "unsupported";
  readonly wanted: string;
  readonly found: string;
  readonly remedy: string;
}

export type Path = readonly (string | number)[];

/** What a check of several values says; `at` is relative to the value it checks, in the file's own key names. */
export interface Report {
  fault(at: Path, fault: Omit<Fault, "path" | "kind">): void;
}

/** `accounts[0].users[2].user` */
export function formatPath(path: Path): string {
  return path.map((step, i) => (typeof step === "number" ? `[${step}]` : i === 0 ? step : `.${step}`)).join("");
}

export function formatFault(fault: Fault): string {
  const place = fault.path === "" ? "settings" : fault.path;
  const remedy = fault.remedy === "" ? "" : `: ${fault.remedy}`;
  switch (fault.kind) {
    case "unknown":
      return `${place}: there is no such key${remedy}`;
    case "missing":
      return `${place}: is missing, wants ${fault.wanted}${remedy}`;
    case "unsupported":
      return `${place}: ${fault.found} is not supported yet${remedy}`;
    case "invalid":
      return `${place}: wants ${fault.wanted}, found ${fault.found}${remedy}`;
  }
}
