import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultRoutes, defaultRoutes6, neighbourIn } from "#doctor/steps/gateway.ts";

test("default routes of the kernel's table: with a gateway, over a modem without one, and none that is down", () => {
  const table = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0101A8C0	0003	0	0	100	00000000	0	0	0
wwan0	00000000	00000000	0001	0	0	700	00000000	0	0	0
wlan0	00000000	0102A8C0	0002	0	0	600	00000000	0	0	0
eth0	0001A8C0	00000000	0001	0	0	100	00FFFFFF	0	0	0`;
  assert.deepEqual(defaultRoutes(table), [
    { device: "eth0", gateway: "192.168.1.1" },
    { device: "wwan0", gateway: null },
  ]);
  assert.deepEqual(defaultRoutes(""), []);
});

test("IPv6 default routes, without the kernel's own reject route", () => {
  const zero = "0".repeat(32);
  const row = (gateway: string, flags: string, device: string) =>
    `${zero} 00 ${zero} 00 ${gateway} 00000400 00000001 00000000 ${flags} ${device}`;
  const table = [
    row("fe800000000000000000000000000001", "00000003", "eth0"),
    row(zero, "00200200", "lo"),
    row(zero, "00000001", "wwan0"),
  ];
  assert.deepEqual(defaultRoutes6(table.join("\n")), [
    { device: "eth0", gateway: "fe80::1" },
    { device: "wwan0", gateway: null },
  ]);
});

test("a neighbour that answered is told from one that was only asked, and from one of another interface", () => {
  const table = `IP address       HW type     Flags       HW address            Mask     Device
192.168.1.1      0x1         0x2         aa:bb:cc:dd:ee:ff     *        eth0
192.168.1.9      0x1         0x0         00:00:00:00:00:00     *        eth0`;
  assert.equal(neighbourIn(table, "192.168.1.1", "eth0"), "known");
  assert.equal(neighbourIn(table, "192.168.1.9", "eth0"), "asked");
  assert.equal(neighbourIn(table, "192.168.1.1", "wlan0"), undefined);
});
