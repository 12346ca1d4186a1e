import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { announcedSockets, type HandedSocket, matchSockets } from "../../src/pod/sockets.ts";
import { PodManifest } from "../../src/schema/pod-manifest.ts";
import { fails } from "../helpers/failures.ts";

const id = `sha512-${"ab".repeat(64)}`;
type GivenPort = Readonly<{ name: string; port: number; protocol?: string; count?: number; socketActivated?: boolean }>;

const podOf = (apps: Readonly<Record<string, readonly GivenPort[]>>) =>
  PodManifest.parse({
    acKind: "PodManifest",
    acVersion: "0.8.11",
    apps: Object.entries(apps).map(([name, ports]) => ({
      name,
      image: { id },
      app: {
        user: "0",
        group: "0",
        exec: ["/x"],
        ports: ports.map((port) => ({ protocol: "tcp", socketActivated: true, ...port })),
      },
    })),
  });

const socket = (descriptor: number, options: Partial<HandedSocket> = {}): HandedSocket => ({
  descriptor,
  name: "",
  kind: "tcp",
  ...options,
});
const matched = (...args: Parameters<typeof matchSockets>) => Object.fromEntries(matchSockets(...args));

describe("matchSockets (LIFE-88)", () => {
  it("by name, else by protocol and number; each app its own, in the order of its ports", () => {
    const pod = podOf({
      web: [
        { name: "https", port: 443 },
        { name: "http", port: 80 },
      ],
      dns: [{ name: "dns", port: 53, protocol: "udp" }],
      idle: [{ name: "other", port: 80, socketActivated: false }],
    });
    const handed = [
      socket(3, { port: 80 }),
      socket(4, { port: 53, kind: "udp" }),
      socket(5, { port: 8443, name: "https" }),
      socket(6, { kind: "unix", name: "https" }),
      socket(7, { port: 80 }),
    ];
    assert.deepEqual(matched(pod, handed), {
      web: [
        { name: "https", index: 2 },
        { name: "https", index: 3 },
        { name: "http", index: 0 },
        { name: "http", index: 4 },
      ],
      dns: [{ name: "dns", index: 1 }],
    });
  });

  it("a range of ports has a socket for each", () => {
    const pod = podOf({ web: [{ name: "http", port: 80, count: 2 }] });
    const both = [socket(3, { port: 80 }), socket(4, { port: 81 })];
    assert.deepEqual(
      matched(pod, both)["web"]?.map(({ index }) => index),
      [0, 1],
    );
    assert.throws(() => matched(pod, both.slice(0, 1)), fails("USAGE", /port http of web/, { cause: /tcp 81/ }));
  });

  it("names what does not fit", () => {
    const pod = podOf({ web: [{ name: "http", port: 80 }] });
    const refused: readonly (readonly [readonly HandedSocket[], RegExp])[] = [
      [[socket(3, { port: 8080 })], /no socket was handed over for port http of web/],
      [[socket(3, { port: 80, kind: "udp" })], /no socket was handed over for port http/],
      [
        [socket(3, { name: "http", kind: "udp", port: 80 })],
        /descriptor 3 \(udp 80, called http\) is called like port http of web/,
      ],
      [[socket(3, { port: 80 }), socket(4, { kind: "other" })], /descriptor 4 \(other\): not a socket of any port/],
      [[socket(3, { port: 80 }), socket(4, { name: "\u001b[2J", port: 9 })], /called \\x1b\[2J\): not a socket/],
    ];
    for (const [handed, text] of refused) assert.throws(() => matched(pod, handed), fails("USAGE", text));
    assert.throws(
      () => matched(podOf({ web: [] }), [socket(3, { port: 80 })]),
      fails("USAGE", /not a socket of any port/),
    );
    const two = podOf({ web: [{ name: "http", port: 80 }], log: [{ name: "http", port: 80 }] });
    assert.throws(() => matched(two, [socket(3, { port: 80 })]), fails("USAGE", /port http of log/));
  });
});

describe("announcedSockets", () => {
  const of = (words: Readonly<Record<string, string>>) => announcedSockets(new Map(Object.entries(words)), 77);
  it("are 3 and what follows, with their names", () => {
    assert.deepEqual(of({ LISTEN_FDS: "2", LISTEN_PID: "77", LISTEN_FDNAMES: "http" }), [
      { descriptor: 3, name: "http" },
      { descriptor: 4, name: "" },
    ]);
  });
  it("are another process's when LISTEN_PID says so", () => {
    for (const words of [{}, { LISTEN_FDS: "1" }, { LISTEN_FDS: "1", LISTEN_PID: "78" }])
      assert.deepEqual(of(words), []);
  });
  it("are refused when they cannot be counted", () => {
    for (const LISTEN_FDS of ["-1", "x", "", "257", "99999"]) {
      assert.throws(() => of({ LISTEN_FDS, LISTEN_PID: "77" }), fails("USAGE", /LISTEN_FDS/));
    }
  });
});
