import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Secret } from "#base/secret.ts";
import { loginFor, parseRemoteUrl, type RemoteUrl } from "#uplink/remote-url.ts";

function urlOf(text: string): RemoteUrl {
  const parsed = parseRemoteUrl(text);
  assert.ok("value" in parsed, JSON.stringify(parsed));
  return parsed.value;
}

function faultOf(text: string): string {
  const parsed = parseRemoteUrl(text);
  assert.ok("fault" in parsed, text);
  return `${parsed.fault.kind ?? "invalid"} ${parsed.fault.found ?? ""} ${parsed.fault.remedy ?? ""}`;
}

test("the port is 7422 unless given, whatever the scheme", () => {
  assert.deepEqual(urlOf("tls://hub.example.com").endpoint, { host: "hub.example.com", port: 7422 });
  assert.deepEqual(urlOf("nats-leaf://10.0.0.1:80").endpoint, { host: "10.0.0.1", port: 80 });
  assert.deepEqual(urlOf("NATS://Hub:7500").endpoint, { host: "hub", port: 7500 });
  assert.deepEqual(urlOf("tls://[2001:db8::1]:7422").endpoint, { host: "2001:db8::1", port: 7422 });
  assert.equal(urlOf("tls://[2001:db8::1]").text, "tls://[2001:db8::1]:7422");
});

test("only tls:// insists on TLS by itself", () => {
  assert.deepEqual(
    ["tls://h", "nats://h", "nats-leaf://h"].map((text) => urlOf(text).isTls),
    [true, false, false],
  );
});

test("a login in the URL is decoded, and no print shows it", () => {
  const url = urlOf("tls://an%40n:p%2Fw%3A%25@hub");
  assert.ok(url.login?.kind === "password");
  assert.deepEqual([url.login.user, url.login.password.reveal()], ["an@n", "p/w:%"]);
  assert.ok(!JSON.stringify(url).includes("p/w"));
  assert.equal(url.text, "tls://hub:7422");
});

test("a lone name is a token", () => {
  const { login } = urlOf("tls://s3cr3t@hub");
  assert.ok(login?.kind === "token" && login.token.reveal() === "s3cr3t");
});

test("every login survives the way into a URL and back", () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1, unit: "grapheme" }),
      fc.string({ minLength: 1, unit: "grapheme" }),
      (user, password) => {
        const { login } = urlOf(`nats://${encodeURIComponent(user)}:${encodeURIComponent(password)}@hub`);
        assert.ok(login?.kind === "password");
        assert.deepEqual([login.user, login.password.reveal()], [user, password]);
      },
    ),
  );
});

test("what is no hub URL is refused with a remedy, and without its password", () => {
  assert.match(faultOf("hub:7422"), /scheme/);
  assert.match(faultOf("wss://hub/leafnode"), /^unsupported wss/);
  assert.match(faultOf("http://hub"), /tls:\/\//);
  assert.match(faultOf("tls://u:p@w@hub"), /%40/);
  assert.match(faultOf("tls://u:p/w@hub"), /%2F/);
  assert.match(faultOf("tls://u:p#w@hub"), /%23/);
  assert.match(faultOf("tls://hub:0"), /1 to 65535/);
  for (const text of [
    "tls://",
    "tls://hub:65536",
    "tls://hub:x",
    "tls://u:p@",
    "tls://hub/path",
    "tls://hub?x=1",
    "tls://%",
    "tls://%zz:x@hub",
  ]) {
    assert.ok(faultOf(text).length > 10, text);
  }
  for (const text of ["tls://u:hunter2@@hub", "tls://u:hunter2@hub:99999", "ftp://u:hunter2@hub"])
    assert.ok(!faultOf(text).includes("hunter2"));
});

test("no text makes the parser throw", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.constantFrom("", "tls://", "nats://u:"),
      (text, head) => parseRemoteUrl(head + text) !== undefined,
    ),
  );
});

test("the remote's own login comes first, then the URL's, then the first that any URL has", () => {
  const [bare, ann, bob] = [urlOf("tls://h1"), urlOf("tls://ann:a@h2"), urlOf("tls://bob:b@h3")];
  const nameOf = (login: ReturnType<typeof loginFor>) => (login?.kind === "password" ? login.user : null);
  const remote = { user: null, password: null, urls: [bare, ann, bob] };
  assert.deepEqual(
    [bare, ann, bob].map((url) => nameOf(loginFor(remote, url))),
    ["ann", "ann", "bob"],
  );
  assert.equal(nameOf(loginFor({ ...remote, user: "own", password: new Secret("x") }, ann)), "own");
  assert.equal(loginFor({ ...remote, urls: [bare] }, bare), null);
});
