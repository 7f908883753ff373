import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { hideUserInfo, Secret } from "#base/secret.ts";

test("a secret prints as stars however it is printed, and is given away only by reveal", () => {
  const secret = new Secret("hunter2");
  const prints = [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret }),
    inspect({ secret }),
    inspect(secret, { showHidden: true }),
  ];
  for (const print of prints) assert.ok(print.includes("***") && !print.includes("hunter2"), print);
  assert.deepEqual(Object.keys(secret), []);
  assert.equal(secret.reveal(), "hunter2");
});

test("user information is hidden in every URL, awkward passwords included", () => {
  assert.equal(hideUserInfo("tls://ann:pw@hub:7422"), "tls://***@hub:7422");
  assert.equal(hideUserInfo("tls://ann:p/w@x@hub"), "tls://***@hub");
  assert.equal(hideUserInfo("no url"), "no url");
  assert.equal(hideUserInfo("tls://hub:7422"), "tls://hub:7422");
  assert.ok(!hideUserInfo("tls://a:one@h1, tls://b:two@h2").match(/one|two/));
});

test("user information is hidden in one look at a text, however long it is", () => {
  const long = "tls://a".repeat(150_000);
  assert.equal(hideUserInfo(long), long);
  assert.equal(hideUserInfo(`${long}@hub`), "tls://***@hub");
  assert.equal(hideUserInfo("ann@hub tls://hub"), "ann@hub tls://hub");
  assert.equal(hideUserInfo("//@"), "//***@");
});
