import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { systemEntropy } from "#base/entropy.ts";
import { makeCertificate } from "#web/server/certificate.ts";

test("a device's certificate is signed by its own key, for a server, by every name and address asked for", async () => {
  const names = ["gw-7", "gw-7.local", "192.0.2.7", "2001:db8::7", "fe80::1%eth0", "::ffff:192.0.2.9", "2001:db8:1:2:3:4:5:6"];
  const { cert, key } = await makeCertificate(names, systemEntropy());
  const read = new X509Certificate(cert);
  assert.ok(read.verify(read.publicKey), "signed by itself");
  assert.ok(read.checkPrivateKey(createPrivateKey(key)));
  assert.equal(read.ca, false);
  assert.equal(read.subject, "CN=gw-7");
  assert.equal(read.issuer, "CN=gw-7");
  assert.deepEqual(read.keyUsage, ["1.3.6.1.5.5.7.3.1"], "for servers only");
  assert.equal(read.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1");
  assert.equal(read.validFrom, "Jan  1 00:00:00 2025 GMT");
  assert.equal(read.validTo, "Dec 31 23:59:59 2049 GMT");
  for (const name of ["gw-7", "gw-7.local"]) assert.equal(read.checkHost(name), name);
  for (const address of ["192.0.2.7", "2001:db8::7", "fe80::1", "2001:db8:1:2:3:4:5:6"])
    assert.ok(read.checkIP(address), address);
  assert.equal(read.checkHost("gw-8"), undefined);
});

test("two devices never share a serial number or a key; a long name is cut, many names fit", async () => {
  const names = ["n".repeat(100), ...Array.from({ length: 60 }, (_, i) => `name-${i}.example.com`)];
  const [one, two] = [await makeCertificate(names, systemEntropy()), await makeCertificate(names, systemEntropy())];
  const [a, b] = [new X509Certificate(one.cert), new X509Certificate(two.cert)];
  assert.notEqual(a.serialNumber, b.serialNumber);
  assert.notEqual(one.key, two.key);
  assert.match(a.serialNumber, /^[4-7][0-9A-F]{31}$/);
  assert.equal(a.subject, `CN=${"n".repeat(64)}`);
  assert.equal(a.checkHost("name-59.example.com"), "name-59.example.com");
});
