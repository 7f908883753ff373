import assert from "node:assert/strict";
import { test } from "node:test";
import { hashPassword, isPasswordHash, looksLikePasswordHash, verifyPassword } from "#access/password.ts";
import { systemEntropy } from "#base/entropy.ts";

const entropy = systemEntropy();

test("a password verifies against its own hash and nothing else does", async () => {
  const hash = await hashPassword("correct horse", entropy);
  assert.match(hash, /^\$scrypt\$ln=14,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.equal(await verifyPassword(hash, "correct horse"), true);
  for (const wrong of ["", "correct horse ", "Correct horse", hash])
    assert.equal(await verifyPassword(hash, wrong), false, wrong);
});

test("the same password hashes differently each time", async () => {
  assert.notEqual(await hashPassword("x", entropy), await hashPassword("x", entropy));
});

test("a password counts the same in either Unicode form", async () => {
  const hash = await hashPassword("caf\u00e9", entropy);
  assert.equal(await verifyPassword(hash, "cafe\u0301"), true);
});

test("the vector of RFC 7914 §12 verifies", async () => {
  const salt = Buffer.from("SodiumChloride").toString("base64").replaceAll("=", "");
  const key = Buffer.from(
    "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
    "hex",
  );
  // 14 bytes of salt make 19 characters, fewer than we write ourselves, so the salt's minimum must allow them.
  const hash = `$scrypt$ln=14,r=8,p=1$${salt}$${key.toString("base64").replaceAll("=", "")}`;
  assert.equal(isPasswordHash(hash), true);
  assert.equal(await verifyPassword(hash, "pleaseletmein"), true);
});

test("a text that is no whole hash verifies nothing, and is not taken for a plain password either", async () => {
  const hash = await hashPassword("x", entropy);
  const mangled = [
    hash.slice(0, -4),
    hash.replace("ln=14", "ln=40"),
    hash.replace("r=8", "r=99"),
    hash.replace("p=1", "p=0"),
    "$scrypt$",
    `${hash}\n`,
  ];
  for (const text of mangled) {
    assert.equal(isPasswordHash(text), false, text);
    assert.equal(looksLikePasswordHash(text), true, text);
    assert.equal(await verifyPassword(text, "x"), false, text);
  }
  assert.equal(await verifyPassword("x", "x"), false);
});

test("a cost that scrypt itself refuses is no hash: a login must not fail on it", async () => {
  const of = (costs: string) => `$scrypt$${costs}$${"A".repeat(22)}$${"A".repeat(43)}`;
  assert.equal(isPasswordHash(of("ln=16,r=1,p=1")), false);
  assert.equal(await verifyPassword(of("ln=16,r=1,p=1"), "x"), false);
  assert.equal(await verifyPassword(of("ln=15,r=1,p=1"), "x"), false);
  assert.equal(isPasswordHash(of("ln=15,r=1,p=1")), true);
});
