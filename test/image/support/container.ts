// The image as a container: run by runc with the rights that our composition asks an engine for, nothing else around it.

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { type CommandResult, tryCommand } from "../../../scripts/lib/command.ts";
import { SpawnedProcess } from "../../support/processes.ts";
import { type TempFolder, tempFolder } from "../../support/temp-folder.ts";
import { containerSpec } from "./container-spec.ts";
import type { ComposeService } from "./yaml.ts";

export interface ContainerOptions {
  readonly root: string;
  readonly service: ComposeService;
  readonly network: string;
  readonly dataDir: string;
}

/** Above what the daemon takes to start on a busy machine, in milliseconds. */
const START_MS = 60_000;

export class Container implements AsyncDisposable {
  readonly process: SpawnedProcess;
  readonly #id: string;
  readonly #folder: TempFolder;

  /** Resolves when the daemon says that it is running. */
  static async run({ root, service, network, dataDir }: ContainerOptions): Promise<Container> {
    const folder = await tempFolder("petiole-container");
    const etc = { hosts: "127.0.0.1 localhost\n::1 localhost\n", hostname: "box\n", "resolv.conf": "" };
    for (const [name, text] of Object.entries(etc)) await fs.writeFile(path.join(folder.path, name), text);
    const { entrypoint, env } = await imageConfig();
    const places = { root, entrypoint, env, network, volumes: { data: dataDir }, etc: folder.path };
    await fs.writeFile(path.join(folder.path, "config.json"), JSON.stringify(containerSpec(service, places)));
    const id = path.basename(folder.path);
    const args = ["--root", path.join(folder.path, "state"), "run", "--bundle", folder.path, id];
    const container = new Container(id, folder, await SpawnedProcess.start("runc", args));
    try {
      await container.process.says(/ running /, START_MS);
      return container;
    } catch (error) {
      await container[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(id: string, folder: TempFolder, process: SpawnedProcess) {
    this.#id = id;
    this.#folder = folder;
    this.process = process;
  }

  /** Runs a program inside, as an engine's exec does; hands back its end, whatever it is. */
  async exec(...args: readonly string[]): Promise<CommandResult> {
    return await this.#runc("exec", this.#id, ...args);
  }

  /** Every process inside, as the machine numbers them; the first is the container's first. */
  async pids(): Promise<number[]> {
    const { stdout } = await this.#runc("ps", "--format", "json", this.#id);
    return (JSON.parse(stdout) as number[]).sort((a, b) => a - b);
  }

  /** What `docker stop` does: the exit code, and how long it took. */
  async stop(): Promise<{ readonly code: number | null; readonly tookMs: number }> {
    const startedMs = performance.now();
    await this.#runc("kill", this.#id, "SIGTERM");
    const { code } = await this.process.exited;
    return { code, tookMs: performance.now() - startedMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#runc("delete", "--force", this.#id);
    await this.process[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }

  #runc(...args: readonly string[]): Promise<CommandResult> {
    return tryCommand("runc", ["--root", path.join(this.#folder.path, "state"), ...args]);
  }
}

/** As the Dockerfile says it. scripts/build-image says the same; packaging.test.ts compares the two. */
export async function imageConfig(): Promise<{ readonly entrypoint: readonly string[]; readonly env: readonly string[] }> {
  const text = await fs.readFile(path.resolve(import.meta.dirname, "../../../image/Dockerfile"), "utf8");
  const entrypoint = JSON.parse(/^ENTRYPOINT (.+)$/m.exec(text)![1]!) as string[];
  return { entrypoint, env: [...text.matchAll(/^ENV (.+)$/gm)].map(([, line]) => line!) };
}
