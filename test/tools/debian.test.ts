import assert from "node:assert/strict";
import { test } from "node:test";
import { missingPackages, needPackages } from "../../scripts/lib/debian.ts";

test("what is installed is not missing, what cannot be is", async () => {
  assert.deepEqual(await missingPackages(["dpkg", "petiole-no-such-package", "apt"]), ["petiole-no-such-package"]);
});

test("packages that are there cost nothing and say nothing", async () => {
  const said: string[] = [];
  await needPackages(["dpkg"], (line) => said.push(line));
  await needPackages([], (line) => said.push(line));
  assert.deepEqual(said, []);
});
