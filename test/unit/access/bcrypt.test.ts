import assert from "node:assert/strict";
import { test } from "node:test";
import { BcryptVerifier, isBcryptHash, isDearBcryptHash, looksLikeBcryptHash } from "#access/bcrypt.ts";

/** Made by libxcrypt's crypt(3), the last two by bcryptjs. */
const KNOWN: readonly (readonly [password: string, hash: string])[] = [
  ["correct horse", "$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2"],
  ["", "$2b$04$......................w74bL5gU7LSJClZClCa.Pkz14aTv/XO"],
  ["äö", "$2a$06$N9qo8uLOickgx2ZMRZoMyeQ49mZYuHobpnGR0HpTwF5TaynbI2qMW"],
  ["x".repeat(80), "$2y$04$zzzzzzzzzzzzzzzzzzzzzeFJNinkmAl1RKlEfwNZ1bc1fQ.iffU3K"],
  ["x".repeat(80), "$2b$04$T1KPE1GS7QQVbj22VDZ4eeckjF1Ae3/Z7uQL9QxEaRHDJlHWIP74K"],
  ["äö", "$2b$04$gSBsWMcrPUh7FsVY4akGpebkjOGAo.hvnmrg7lqi5L7jhsMN4p/Eu"],
  // 71 bytes and the NUL, 72 bytes without it, and letters of two and four bytes that end with the 72nd byte or are cut by it
  ["x".repeat(71), "$2b$04$abcdefghijklmnopqrstuu.gc7UY/21CSNJGJg21jJzx9QiOpJ9bO"],
  ["x".repeat(72), "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i"],
  ["é".repeat(36), "$2b$04$abcdefghijklmnopqrstuuKiIlCeXB6chNXkLyAo8C7XcLPzh6zUe"],
  ["😀".repeat(18), "$2y$04$abcdefghijklmnopqrstuufmqG4mHlwnaPKycLAC9vbeB2HW7lGYC"],
  [`x${"é".repeat(36)}`, "$2a$04$abcdefghijklmnopqrstuunt1F6iRePqdLv.sStq15vGl7/EUVfPO"],
  ["\u0001\u007f\uffff", "$2b$04$abcdefghijklmnopqrstuuil2CBi8Ff5/A6S117fTkUleOiQdILuW"],
];

test("a hash that others made takes its password, and no other", async () => {
  const verifier = new BcryptVerifier();
  for (const [password, hash] of KNOWN) {
    assert.equal(await verifier.verify(hash, password), true, hash);
    assert.equal(await verifier.verify(hash, `${password.slice(1)}y`.slice(0, 40)), false, hash);
  }
});

test("hashes are verified side by side, and each gets its own verdict", async () => {
  const verifier = new BcryptVerifier();
  const verdicts = await Promise.all(
    KNOWN.flatMap(([password, hash]) => [verifier.verify(hash, password), verifier.verify(hash, "no")]),
  );
  assert.deepEqual(
    verdicts,
    KNOWN.flatMap(() => [true, false]),
  );
});

test("others are served while a password is checked", async () => {
  let turns = 0;
  let isDone = false;
  const count = () => {
    turns += 1;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  await new BcryptVerifier().verify("$2a$08$N9qo8uLOickgx2ZMRZoMyeQ49mZYuHobpnGR0HpTwF5TaynbI2qMW", "anything");
  isDone = true;
  assert.ok(turns > 16, `${turns} turns`);
});

test("what is no bcrypt hash, or asks for too much, opens nothing", async () => {
  const [, hash] = KNOWN[0]!;
  const verifier = new BcryptVerifier();
  for (const text of [
    "",
    hash.slice(0, -1),
    `${hash}x`,
    hash.replace("$05$", "$15$"),
    hash.replace("$05$", "$03$"),
    hash.replace("$2b", "$2x"),
  ]) {
    assert.equal(isBcryptHash(text), false, text);
    assert.equal(await verifier.verify(text, "correct horse"), false, text);
  }
  assert.equal(looksLikeBcryptHash(hash.slice(0, 20)), true, "a cut-off hash is never a plain password");
  assert.equal(looksLikeBcryptHash("$2 notes"), false);
});

test("a hash that is dearer than what is verified here is told apart from one that is cut off", () => {
  const dear = `$2b$15$${"a".repeat(53)}`;
  assert.deepEqual([isDearBcryptHash(dear), isBcryptHash(dear)], [true, false]);
  for (const text of [dear.slice(1), dear.slice(0, -1), dear.replace("$15$", "$14$"), dear.replace("$15$", "$32$")])
    assert.equal(isDearBcryptHash(text), false, text);
});
