// A folder that is gone when the test is over.

import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";

export interface TempFolder extends AsyncDisposable {
  readonly path: string;
}

export async function tempFolder(name = "petiole"): Promise<TempFolder> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), `${name}-`));
  return { path: folder, [Symbol.asyncDispose]: () => fs.rm(folder, { recursive: true, force: true, maxRetries: 3 }) };
}
