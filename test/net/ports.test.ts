import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PortMapping } from "../../src/net/chain.ts";
import {
  exposedPorts,
  listeners,
  overlap,
  parsePortFlag,
  portMappings,
  portWords,
  requireFree,
} from "../../src/net/ports.ts";
import type { PodManifest } from "../../src/schema/pod-manifest.ts";
import { fails } from "../helpers/failures.ts";

type Port = { name: string; protocol: string; port: number; count?: number };
const apps = (...ports: readonly (readonly Port[])[]) =>
  ports.map((own, index) => ({
    name: `a${index}`,
    app: { ports: own.map((port) => ({ count: 1, ...port })) },
  })) as unknown as PodManifest["apps"];
const http: Port = { name: "http", protocol: "tcp", port: 80 };
const manifest = (ports: readonly Record<string, unknown>[], ...own: readonly (readonly Port[])[]) =>
  ({ ports, apps: apps(...own) }) as unknown as PodManifest;
const mapping = (hostIP: string, hostPort: number, protocol: PortMapping["protocol"] = "tcp"): PortMapping => ({
  hostIP,
  hostPort,
  protocol,
  containerPort: 80,
});

describe("parsePortFlag (NET-40)", () => {
  for (const [text, hostIP, hostPort, protocol] of [
    ["http:8080", "127.0.0.1", 8080, undefined],
    ["http:0.0.0.0:80/tcp", "0.0.0.0", 80, "tcp"],
    ["dns:192.0.2.1:53/udp", "192.0.2.1", 53, "udp"],
    ["http:[::]:80", "::", 80, undefined],
    ["http:[fd00::1]:80/sctp", "fd00::1", 80, "sctp"],
  ] as const) {
    it(text, () => assert.deepEqual(parsePortFlag(text), { name: text.split(":")[0], hostIP, hostPort, protocol }));
  }
  for (const text of [
    "",
    "8080",
    "http:",
    "http:0",
    "http:65536",
    "HTTP:80",
    "http:::1:80",
    "http:[1.2.3.4]:80",
    "http:host:80",
    "http:80/icmp",
    "http:80/",
    "http::80",
    "a:1.2.3.4:5:6",
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      assert.throws(() => parsePortFlag(text), fails("USAGE", /not NAME:\[HOSTIP:\]HOSTPORT/)));
  }
});

describe("exposedPorts", () => {
  it("a flag becomes a port of the manifest", () => {
    assert.deepEqual(exposedPorts([parsePortFlag("http:8080/tcp")], apps([http])), [
      { name: "http", hostPort: 8080, hostIP: "127.0.0.1", podPort: undefined },
    ]);
  });
  it("of a name that an app has, and only one", () => {
    const ports =
      (text: string, ...own: readonly (readonly Port[])[]) =>
      () =>
        exposedPorts([parsePortFlag(text)], apps(...own));
    assert.throws(ports("htp:80", [http]), fails("USAGE", /no app has a port htp/, { cause: /http/ }));
    assert.throws(ports("http:80", []), fails("USAGE", /no app has a port/, { cause: /name no ports/ }));
    assert.throws(ports("http:80", [http], [http]), fails("USAGE", /port of two apps/));
    assert.throws(ports("http:80/udp", [http]), fails("USAGE", /is tcp, not udp/));
  });
});

describe("portMappings (NET-41)", () => {
  it("every port of a range is one, and no address is every address (POD-16)", () => {
    const range = { name: "range", protocol: "udp", port: 5000, count: 3 };
    assert.deepEqual(
      portMappings(manifest([{ name: "range", hostPort: 6000 }], [range])),
      [0, 1, 2].map((n) => ({ hostPort: 6000 + n, containerPort: 5000 + n, protocol: "udp", hostIP: "" })),
    );
  });
  it("podPort says it itself (POD-17)", () => {
    const podPort = { name: "x", protocol: "tcp", port: 81, count: 1 };
    assert.deepEqual(portMappings(manifest([{ name: "http", hostPort: 80, hostIP: "127.0.0.1", podPort }], [http])), [
      { hostPort: 80, containerPort: 81, protocol: "tcp", hostIP: "127.0.0.1" },
    ]);
  });
  for (const [why, ports, own, failure] of [
    [
      "a range that ends nowhere",
      [{ name: "r", hostPort: 65535 }],
      { name: "r", protocol: "tcp", port: 1, count: 2 },
      ["MANIFEST_INVALID", /behind 65535/],
    ],
    [
      "more than 1,024",
      [{ name: "r", hostPort: 2000 }],
      { name: "r", protocol: "tcp", port: 1, count: 60000 },
      ["LIMIT_EXCEEDED", /1024 at most/],
    ],
    [
      "another protocol",
      [{ name: "r", hostPort: 80 }],
      { name: "r", protocol: "icmp", port: 1 },
      ["UNSUPPORTED", /icmp/],
    ],
    ["the IPv6 loopback", [{ name: "http", hostPort: 80, hostIP: "::1" }], http, ["UNSUPPORTED", /::1/]],
    [
      "one port twice",
      [
        { name: "http", hostPort: 80 },
        { name: "http", hostPort: 80, hostIP: "127.0.0.1" },
      ],
      http,
      ["MANIFEST_INVALID", /127\.0\.0\.1:80\/tcp of the host is asked for twice/],
    ],
    ["a name that no app has", [{ name: "x", hostPort: 80 }], http, ["MANIFEST_INVALID", /no app has a port x/]],
  ] as const) {
    it(`refuses ${why}`, () =>
      assert.throws(() => portMappings(manifest(ports, [own])), fails(failure[0], failure[1])));
  }
});

describe("who has a port already (NET-42)", () => {
  it("the same address, or one of them stands for all", () => {
    assert.ok(overlap(mapping("127.0.0.1", 80), mapping("0.0.0.0", 80)));
    assert.ok(overlap(mapping("", 80), mapping("fd00::1", 80)));
    assert.ok(!overlap(mapping("127.0.0.1", 80), mapping("192.0.2.1", 80)));
    assert.ok(!overlap(mapping("127.0.0.1", 80), mapping("127.0.0.1", 80, "udp")));
    assert.ok(!overlap(mapping("127.0.0.1", 80), mapping("127.0.0.1", 81)));
  });
  it("the pod is named", () => {
    const holders = [{ uuid: "6f3a", name: "web", ports: [mapping("127.0.0.1", 59999)] }];
    assert.throws(
      () => requireFree([mapping("0.0.0.0", 59999)], holders),
      fails("ALREADY_EXISTS", /0\.0\.0\.0:59999\/tcp of the host leads to pod 6f3a \(web\)/, {
        hint: /perigee stop web/,
      }),
    );
    requireFree([mapping("127.0.0.1", 59998)], holders);
  });
  it("a program of the host is noticed", async (t) => {
    const { createServer } = await import("node:net");
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    t.after(() => server.close());
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    assert.throws(
      () => requireFree([mapping("0.0.0.0", address.port)], []),
      fails("ALREADY_EXISTS", /a program of the host listens/),
    );
    requireFree([mapping("127.0.0.1", address.port, "udp")], []);
  });
  it("tables of the kernel: what listens, with its address", () => {
    const line = (local: string, state: string) =>
      `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000 0 0 1\n`;
    const text = `  sl local\n${line("0100007F:1F90", "0A")}${line("0100007F:1F91", "01")}${line(`${"0".repeat(32)}:0050`, "0A")}`;
    assert.deepEqual(listeners(text, "tcp"), [
      { address: "127.0.0.1", port: 8080 },
      { address: "", port: 80 },
    ]);
    assert.deepEqual(listeners(line("00000000:0035", "07"), "udp"), [{ address: "", port: 53 }]);
  });
  it("in words", () =>
    assert.deepEqual([mapping("", 80), mapping("::", 81, "udp")].map(portWords), ["*:80/tcp", "[::]:81/udp"]));
});
