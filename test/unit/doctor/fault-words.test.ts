import assert from "node:assert/strict";
import { test } from "node:test";
import { PetioleError } from "#base/errors.ts";
import { apart, troubleOf } from "#doctor/fault-words.ts";
import { DIAL_FAILED } from "#uplink/dialer.ts";
import { LEAF_CREDENTIALS, LEAF_DIAL_FAILED, LEAF_TLS_FAILED } from "#uplink/errors.ts";
import { rejectionOf } from "#uplink/rejection.ts";

const system = (code: string) => Object.assign(new Error(`${code}: the system's own words`), { code });
const dial = (words: string) =>
  new PetioleError(LEAF_DIAL_FAILED, "cannot reach hub tls://hub:7422", { cause: new PetioleError(DIAL_FAILED, words) });

test("a sentence of the house is cut where its remedy begins", () => {
  assert.deepEqual(apart("it has expired on Monday; renew it; at the hub"), {
    cause: "it has expired on Monday",
    remedy: "renew it; at the hub",
  });
  assert.match(apart("something strange").remedy, /try again/);
});

test("of a TLS fault the system's code is kept, and its text is not repeated", () => {
  const error = new PetioleError(LEAF_TLS_FAILED, "hub x: it has expired; renew it", { cause: system("CERT_HAS_EXPIRED") });
  assert.deepEqual(troubleOf(error), {
    code: LEAF_TLS_FAILED,
    detail: "CERT_HAS_EXPIRED",
    cause: "hub x: it has expired",
    remedy: "renew it",
  });
});

test("a dial that failed: why, for each address, and a remedy for the first of them", () => {
  const refused = troubleOf(
    dial("cannot connect to hub:7422: 192.0.2.1: refused: nothing listens (ECONNREFUSED); 2001:db8::1: no route (ENETUNREACH)"),
  );
  assert.equal(refused.detail, "ECONNREFUSED");
  assert.match(refused.cause, /192\.0\.2\.1.*2001:db8::1/);
  assert.match(refused.remedy, /that the hub runs/);
  const silent = troubleOf(dial("cannot connect to hub:7422: 192.0.2.1: no answer within 10 s"));
  assert.equal(silent.detail, "ETIMEDOUT");
  assert.match(silent.remedy, /firewall on the way or the provider/);
  const nameless = troubleOf(dial("cannot connect to hub:7422: DNS knows no such name: hub (asked 1.1.1.1); check the spelling"));
  assert.deepEqual([nameless.detail, nameless.remedy], ["DNS", "check the spelling"]);
});

test("a login that the keys' file explains: the hub's word and the file's, then the file's remedy", () => {
  const refusal = rejectionOf("tls://hub:7422", "Authorization Violation").error;
  const words = `${refusal.message}: credentials: /data/hub.creds holds a JWT that expired on Monday; get a new one`;
  const trouble = troubleOf(new PetioleError(LEAF_CREDENTIALS, words, { cause: refusal }));
  assert.equal(
    trouble.cause,
    "hub tls://hub:7422 refused: Authorization Violation: credentials: /data/hub.creds holds a JWT that expired on Monday",
  );
  assert.equal(trouble.remedy, "get a new one");
});

test("a file that the disk does not give is named in the disk's own words", () => {
  const trouble = troubleOf(
    new PetioleError(LEAF_CREDENTIALS, "credentials: cannot read /data/hub.creds", { cause: system("EACCES") }),
  );
  assert.equal(trouble.cause, "credentials: cannot read /data/hub.creds: it is not for the user that runs petiole");
  assert.match(trouble.remedy, /chown/);
});

test("a fault of the system that no part has words for is told as it is", () => {
  assert.deepEqual(troubleOf(system("EPROTO")).detail, "EPROTO");
});
