import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseProxyUrl } from "#uplink/proxy-url.ts";

function proxyOf(text: string) {
  const parsed = parseProxyUrl(text);
  assert.ok("value" in parsed, JSON.stringify(parsed));
  return parsed.value;
}

function faultOf(text: string): string {
  const parsed = parseProxyUrl(text);
  assert.ok("fault" in parsed, text);
  return `${parsed.fault.found ?? ""}; ${parsed.fault.remedy ?? ""}`;
}

test("a proxy is an http URL with host and port; without a port it is 80", () => {
  assert.deepEqual(proxyOf("http://proxy.example.com:3128"), {
    endpoint: { host: "proxy.example.com", port: 3128 },
    text: "http://proxy.example.com:3128",
  });
  assert.deepEqual(proxyOf("http://10.0.0.1").endpoint, { host: "10.0.0.1", port: 80 });
  assert.deepEqual(proxyOf("HTTP://Proxy:080/").endpoint, { host: "proxy", port: 80 });
  assert.deepEqual(proxyOf("http://[2001:db8::1]:8080"), {
    endpoint: { host: "2001:db8::1", port: 8080 },
    text: "http://[2001:db8::1]:8080",
  });
});

test("what is no proxy URL is refused with a remedy, and a login belongs in keys of its own", () => {
  assert.match(faultOf("proxy:3128"), /http:\/\//);
  assert.match(faultOf("10.0.0.1:3128"), /does not parse; write it as http/);
  assert.match(faultOf("https://proxy:3128"), /scheme "https"; only http/);
  assert.match(faultOf("socks5://proxy"), /scheme "socks5"/);
  assert.match(faultOf("http://proxy/pac"), /path/);
  assert.match(faultOf("http://proxy?x"), /path/);
  assert.match(faultOf("http://proxy:0"), /1 to 65535/);
  assert.match(faultOf("http://proxy:70000"), /does not parse/);
  assert.match(faultOf("http://"), /does not parse/);
  const withLogin = faultOf("http://ann:hunter2@proxy");
  assert.match(withLogin, /keys username and password/);
  assert.ok(!withLogin.includes("hunter2"));
});

test("no text makes the parser throw", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.constantFrom("", "http://"),
      (text, head) => parseProxyUrl(head + text) !== undefined,
    ),
  );
});
