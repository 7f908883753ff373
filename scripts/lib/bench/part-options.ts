// The command line of a part of the bench: what most of them take.

import { parseArgs } from "node:util";

interface Values {
  readonly quick: boolean;
  readonly json: boolean;
  readonly rounds?: string;
  readonly seconds?: string;
  readonly only?: string;
  readonly profile?: boolean;
  /** In a network namespace already: nobody types it. */
  readonly inside?: boolean;
}

const TEXT = { type: "string" } as const;
const FLAG = { type: "boolean", default: false } as const;
const MORE = { rounds: TEXT, seconds: TEXT, only: TEXT, profile: FLAG, inside: FLAG } as const;

/** `names`: of the options it takes beside --quick, --json and --help. Undefined: help was asked for, and printed. Throws at any other. */
export function parsePart(args: readonly string[], help: string, names: readonly (keyof typeof MORE)[]): Values | undefined {
  const more = Object.fromEntries(names.map((name) => [name, MORE[name]]));
  const options = { quick: FLAG, json: FLAG, help: { ...FLAG, short: "h" }, ...more };
  const values = parseArgs({ args: [...args], options }).values as unknown as Values & { readonly help: boolean };
  if (!values.help) return values;
  process.stdout.write(help);
  return undefined;
}

export function whole(option: string, text: string | number, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new Error(`${option} wants a whole number from 1 to ${max}, got "${text}"`);
}
