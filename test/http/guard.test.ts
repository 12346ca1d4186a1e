/** T-D03: who was asked on the Internet leads nobody into a private network, by redirects or by what a page names. In a network namespace, with real connections. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

interface Told {
  readonly ends: readonly string[];
  /** Address, Host, path of each request. */
  readonly reached: readonly string[];
  /** Names, in the order of their look-ups. */
  readonly asked: readonly string[];
}

function inNamespace(script: string, args: readonly string[]): Told {
  const path = fileURLToPath(new URL(`../helpers/${script}.js`, import.meta.url));
  const line = ["--user", "--map-root-user", "--net", process.execPath, path, ...args];
  const { status, stdout, stderr } = spawnSync("unshare", line, { encoding: "utf8", timeout: 60_000 });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Told;
}

const ask = (...urls: readonly string[]): Told => inNamespace("guarded-redirects", urls);
const find = (...pages: readonly string[]): Told => inNamespace("guarded-discovery", pages);

const at = (host: string, path = "/end") => `http://${host}:{port}${path}`;
const led = (from: string, to: string) => at(from, `/to?${to}`);
const refused = "HTTP_FAILED ERR_PRIVATE_ADDRESS";
const isInner = (request: string) => request.startsWith("127.");

describe("T-D03: a redirect from the Internet", () => {
  const forms = ["127.0.0.1", "127.1", "2130706433", "0177.0.0.1", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"];
  const networks = ["10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "[fe80::1]", "[fd00::1]"];

  it("is not followed to an address of this machine or a private network, however it is written", () => {
    const told = ask(...[...forms, ...networks].map((host) => led("192.0.2.1", at(host))));
    assert.deepEqual(new Set(told.ends), new Set([refused]));
    assert.deepEqual(told.reached.filter(isInner), []);
  });

  it("is not followed to a name that means one, among others or alone", () => {
    const told = ask(...["inner.example", "both.example"].map((name) => led("public.example", at(name))));
    assert.deepEqual(told.ends, [refused, refused]);
    assert.deepEqual(told.reached.filter(isInner), []);
  });

  it("rebinding: the address that was checked is the one connected to", () => {
    const told = ask(led("public.example", at("flip.example")));
    assert.deepEqual(told.ends, ["reached"]);
    assert.deepEqual(told.asked, ["public.example", "flip.example"]);
    assert.equal(told.reached.at(-1), "192.0.2.1 flip.example /end");
  });

  it("rebinding: nor when the host of the first request means another address afterwards", () => {
    const told = ask(led("flip.example", at("flip.example")));
    assert.deepEqual(told.ends, [refused]);
    assert.deepEqual(told.reached.filter(isInner), []);
  });

  it("nor over a connection that was made before, nor by a detour", () => {
    const told = ask(
      at("127.0.0.1"),
      led("192.0.2.1", at("127.0.0.1")),
      led("127.0.0.1", led("192.0.2.1", at("127.0.0.1"))),
    );
    assert.deepEqual(told.ends, ["reached", refused, refused]);
    assert.equal(told.reached.filter(isInner).length, 2);
  });

  it("is followed to other places of the Internet, and to where --connect-to leads", () => {
    const told = ask(led("192.0.2.1", at("public.example")), led("public.example", at("configured.example")));
    assert.deepEqual(told.ends, ["reached", "reached"]);
  });

  it("in a private network goes where it likes", () => {
    const told = ask(led("127.0.0.1", at("inner.example")), led("inner.example", at("public.example")));
    assert.deepEqual(told.ends, ["reached", "reached"]);
  });
});

describe("T-D03, DISC-14: a discovery page of the Internet", () => {
  const each = (end: string) => [end, end, end];
  // What is served is no key: that it was looked at shows that it was reached.
  const all = [...each("reached"), "KEY_INVALID"];

  it("names no place on this machine or in a private network, for signature, image or keys, however it is written", () => {
    const places = [
      "127.0.0.1",
      "2130706433",
      "10.0.0.1",
      "169.254.169.254",
      "[fd00::1]",
      "inner.example",
      "both.example",
    ];
    const told = find(...places.map((place, index) => `public.example/n${index} ${at(place, "/x")}`));
    assert.deepEqual(told.ends, Array(places.length * 4).fill(refused));
    assert.deepEqual(told.reached.filter(isInner), []);
  });

  it("nor a place of the Internet that redirects there", () => {
    const told = find(`public.example/web ${led("public.example", at("127.0.0.1"))}`);
    assert.deepEqual(told.ends, Array(4).fill(refused));
  });

  it("names other places of the Internet, and where --connect-to leads", () => {
    const told = find(
      `public.example/web ${at("192.0.2.1", "/x")}`,
      `public.example/api ${at("configured.example", "/x")}`,
    );
    assert.deepEqual(told.ends, [...all, ...all]);
  });

  it("of a private network names what it likes", () => {
    assert.deepEqual(find(`inner.example/web ${at("127.0.0.1", "/x")}`).ends, all);
  });
});
