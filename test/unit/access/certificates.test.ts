// The names in clients' certificates, and the users they lead to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Authenticator, type User } from "#access/authenticator.ts";
import { certificateNames } from "#access/certificate-names.ts";
import { sameNames, tryDistinguishedName } from "#access/distinguished-name.ts";
import { hashPassword } from "#access/password.ts";
import { UNRESTRICTED } from "#access/permissions.ts";
import { systemEntropy } from "#base/entropy.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const { signal } = new AbortController();

test("names are read as Node prints them, quoted and escaped ones included", () => {
  const subjectAltName =
    'email:sensor@example.com, email:"we\\u002cird@example.com", DNS:gw-7.example.com, URI:"spiffe://example.com/gw/7\\u002c8", IP Address:10.0.0.1';
  const names = certificateNames({ subject: "C=DE\nO=Acme\\, Inc\nOU=x + L=y\nCN=gw 7", subjectAltName });
  assert.deepEqual(names.emails, ["sensor@example.com", "we,ird@example.com"]);
  assert.deepEqual([names.dnsNames, names.uris], [["gw-7.example.com"], ["spiffe://example.com/gw/7,8"]]);
  assert.equal(names.subject, "CN=gw 7,OU=x+L=y,O=Acme\\, Inc,C=DE");
  assert.deepEqual(certificateNames({ subject: "", subjectAltName: undefined }), {
    emails: [],
    dnsNames: [],
    uris: [],
    subject: "",
    dn: undefined,
  });
});

test("a distinguished name is the same however it is written", () => {
  const dn = (text: string) => tryDistinguishedName(text)!;
  assert.deepEqual(dn("CN=gw 7,OU=x+L=y,O=Acme\\, Inc"), dn("cn = gw 7 , L=y + OU = x; O=Acme\\2C Inc"));
  assert.deepEqual(dn("E=a@b,CN=\\ S\\C3\\B6hne\\ "), dn("emailAddress=a@b,CN=\\ Söhne\\20"));
  assert.ok(sameNames(dn("CN=a,O=b,C=c"), dn("C=c,O=b,CN=a")));
  assert.ok(!sameNames(dn("CN=a,O=b"), dn("CN=a,O=b,O=b")));
  assert.ok(!sameNames(dn("CN=a"), dn("CN=A")));
  assert.ok(!sameNames(dn("CN=a\\+O=b"), dn("CN=a+O=b")), "an escaped separator is a letter");
  for (const text of ["", "gw-7", "=x", "CN=a,,O=b", "CN=a+", "C N=a", "CN=a\\"])
    assert.equal(tryDistinguishedName(text), undefined, text);
});

test("e-mail addresses come before DNS names, URIs and the subject; the order written before any other", async () => {
  const user = (name: string, more: Partial<User> = {}): User => {
    const permissions = { publish: UNRESTRICTED, subscribe: UNRESTRICTED };
    return { name, account: "EDGE", passwordHash: null, doors: ["nats"], permissions, ...more };
  };
  const entropy = systemEntropy();
  const users = [
    user("C=c,O=b,CN=a"),
    user("CN=a,O=b,C=c"),
    user("urn:7"),
    user("gw.example"),
    user("a@example"),
    user("mqtt@example", { doors: ["mqtt"] }),
    user("both.example", { passwordHash: await hashPassword("x", entropy) }),
  ];
  using authenticator = new Authenticator(users, null, { clock: new FakeClock(), entropy });
  const come = async (subjectAltName: string | undefined, subject = "C=c\nO=b\nCN=a", password: string | null = null) => {
    const names = certificateNames({ subject, subjectAltName });
    const verdict = await authenticator.authenticateCertificate({ door: "nats", password, address: "10.0.0.1" }, names, signal);
    return verdict.ok ? verdict.user.name : verdict.words;
  };
  assert.equal(await come("URI:urn:7, DNS:gw.example, email:a@example"), "a@example");
  assert.equal(await come("URI:urn:7, DNS:gw.example"), "gw.example");
  assert.equal(await come("URI:urn:7"), "urn:7");
  assert.equal(await come("email:mqtt@example, DNS:gw.example"), "gw.example", "a user of another door is not the one");
  assert.equal(await come(undefined), "CN=a,O=b,C=c");
  assert.equal(await come(undefined, "CN=a\nC=c\nO=b"), "C=c,O=b,CN=a", "in no order that is written: the first");
  assert.match(await come("DNS:x\u0007y", "CN=z"), /^no user has a name of its certificate: "x\\u0007y", "CN=z"$/);
  assert.match(await come(undefined, ""), /it has none$/);
  assert.equal(await come("DNS:both.example", "CN=z", "x"), "both.example");
  assert.equal(await come("DNS:both.example", "CN=z"), "the password is wrong");
  const nothing = await authenticator.authenticateCertificate(
    { door: "nats", password: null, address: "10.0.0.2" },
    null,
    signal,
  );
  assert.ok(!nothing.ok && nothing.why === "wrong");
});
