// The bundle's first file, dist/petiole.js: lets Node keep what it compiled of the program, which is the next file, and goes on to it.
// From a checkout main.ts is run directly, without this.

import * as module from "node:module";
import { compiledFolder } from "./compiled.ts";

const folder = compiledFolder(process.argv.slice(2));
if (folder !== undefined) module.enableCompileCache(folder); // throws nothing: without it the program only starts more slowly
await import(new URL("program.js", import.meta.url).href);
