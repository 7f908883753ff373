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

test("only tls:// and wss:// insist on TLS by themselves", () => {
  assert.deepEqual(
    ["tls://h", "nats://h", "nats-leaf://h", "ws://h", "wss://h"].map((text) => urlOf(text).isTls),
    [true, false, false, false, true],
  );
});

test("a WebSocket URL may have a path, which leads to /leafnode in any case", () => {
  const paths = {
    "ws://hub": "/leafnode",
    "wss://hub/": "/leafnode",
    "wss://hub/leafnode": "/leafnode",
    "wss://hub/leafnode/": "/leafnode",
    "wss://hub/nats": "/nats/leafnode",
    "WSS://hub:443/a/b//": "/a/b/leafnode",
    "ws://hub/a/leafnode": "/a/leafnode",
    "ws://hub/myleafnode": "/myleafnode/leafnode",
    "ws://hub/a b": "/a%20b/leafnode",
  };
  for (const [text, path] of Object.entries(paths)) {
    assert.deepEqual([urlOf(text).path, urlOf(text).isWebSocket], [path, true], text);
  }
  assert.deepEqual([urlOf("tls://hub").path, urlOf("tls://hub").isWebSocket], ["", false]);
});

test("a WebSocket URL is shown with its path and without its login, and its port is 7422 as well", () => {
  assert.equal(urlOf("wss://ann:hunter2@Hub.example.com/nats").text, "wss://hub.example.com:7422/nats/leafnode");
  assert.equal(urlOf("ws://hub:80/x:80").endpoint.port, 80);
  assert.equal(urlOf("ws://hub/x:80").endpoint.port, 7422);
  assert.equal(urlOf("wss://hub:443").endpoint.port, 443);
  assert.equal(urlOf("wss://[::1]:0443/x").text, "wss://[::1]:443/x/leafnode");
  const { login } = urlOf("wss://ann:p%2Fw@hub/x");
  assert.ok(login?.kind === "password" && login.password.reveal() === "p/w");
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
  assert.match(faultOf("wss://hub/leafnode?x=1"), /query/);
  assert.match(faultOf("ws://u:1/w@hub"), /%2F/);
  assert.match(faultOf("wss://u:1#w@hub"), /%23/);
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
    "ws://",
    "ws://hub:x/leafnode",
    "ws://hub#leafnode",
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
      fc.constantFrom("", "tls://", "nats://u:", "wss://h/"),
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
