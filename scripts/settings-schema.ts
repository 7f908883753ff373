// Writes src/config/settings.schema.json and the README's settings table anew from the settings' declarations; `--table` prints the
// table instead. test/unit/config/json-schema.test.ts fails while either is out of date.

import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { settingsJsonSchema } from "#config/json-schema.ts";
import { settingsTable } from "#config/settings-table.ts";

if (process.argv.includes("--table")) {
  process.stdout.write(settingsTable());
} else {
  const path = fileURLToPath(new URL("../src/config/settings.schema.json", import.meta.url));
  await writeFile(path, `${JSON.stringify(settingsJsonSchema(), undefined, 2)}\n`);
  execFileSync(fileURLToPath(new URL("../node_modules/.bin/biome", import.meta.url)), ["format", "--write", path]);
  const readme = fileURLToPath(new URL("../README.md", import.meta.url));
  const text = await readFile(readme, "utf8");
  await writeFile(
    readme,
    text.replace(
      /(<!-- settings-table:[^\n]*\n)[\s\S]*?(<!-- \/settings-table -->)/,
      (_, begin: string, end: string) => `${begin}${settingsTable()}${end}`,
    ),
  );
  console.log(`wrote ${path} and the table in ${readme}`);
}
