// Subjects and filters for property tests: few tokens, so that they meet.

import fc from "fast-check";

const token = fc.constantFrom("a", "b", "c", "dd", "*x", "x>");

export function subject(): fc.Arbitrary<string> {
  return fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join("."));
}

export function filter(): fc.Arbitrary<string> {
  return fc
    .tuple(fc.array(fc.oneof(token, fc.constant("*")), { minLength: 1, maxLength: 4 }), fc.boolean())
    .map(([tokens, isRest]) => (isRest ? [...tokens.slice(0, -1), ">"] : tokens).join("."));
}
