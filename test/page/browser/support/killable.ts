// A gateway that can be killed as a power cut does it: a real process, and SIGKILL.

import { freePorts } from "../../../support/free-ports.ts";
import { SpawnedProcess } from "../../../support/processes.ts";
import { tempFolder } from "../../../support/temp-folder.ts";
import { layOut } from "./gateway.ts";

const PROGRAM = `${import.meta.dirname}/program.ts`;
const START_MS = 20_000;

export interface Killable extends AsyncDisposable {
  readonly url: string;
  readonly dataDir: string;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Resolves when the page answers. */
  start(): Promise<void>;
}

export async function startKillable(settings: { readonly [key: string]: unknown } = {}): Promise<Killable> {
  await using scope = new AsyncDisposableStack();
  const folder = scope.use(await tempFolder("petiole-kill"));
  const [port] = (await freePorts(1)) as [number]; // it stays the same through restarts
  const { dataDir, pageFolder } = await layOut(folder.path, port, { settings });
  let program: SpawnedProcess | undefined;
  const start = async () => {
    program = await SpawnedProcess.start(process.execPath, [PROGRAM, dataDir, pageFolder]);
    await program.says(/\brunning\b/, START_MS);
  };
  scope.defer(async () => void (await program?.stop()));
  await start();
  const open = scope.move();
  return {
    url: `http://127.0.0.1:${port}`,
    dataDir,
    kill: async () => void (await program?.kill()),
    start,
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
