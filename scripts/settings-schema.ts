// Writes src/config/settings.schema.json anew from the settings' declarations; `--table` prints the README's table instead.

import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { settingsJsonSchema } from "#config/json-schema.ts";
import { settingsTable } from "#config/settings-table.ts";

if (process.argv.includes("--table")) {
  process.stdout.write(settingsTable());
} else {
  const path = fileURLToPath(new URL("../src/config/settings.schema.json", import.meta.url));
  await writeFile(path, `${JSON.stringify(settingsJsonSchema(), undefined, 2)}\n`);
  execFileSync(fileURLToPath(new URL("../node_modules/.bin/biome", import.meta.url)), ["format", "--write", path]);
  console.log(`wrote ${path}`);
}
