// Reads YAML as the older readers do (1.1, where a bare `off` is false), which is how some of balena's tools read it: by Debian's python3-yaml.

import { runCommand } from "../../../scripts/lib/command.ts";

const READ = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1], encoding='utf-8'))))";

export async function readYaml<T>(file: string): Promise<T> {
  return JSON.parse(await runCommand("python3", ["-c", READ, file])) as T;
}

/** What we use of a composition. */
export interface Composition {
  readonly version?: string;
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

export interface ComposeService {
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly image?: string;
  readonly privileged?: boolean;
  readonly read_only?: boolean;
  readonly network_mode?: string;
  readonly cap_add?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly stop_grace_period?: string;
  readonly stop_signal?: string;
  readonly restart?: string;
  readonly healthcheck?: { readonly test: readonly string[] };
}
