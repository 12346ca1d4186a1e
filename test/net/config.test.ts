import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { builtinList, cniVersions, parseNetworkFile, storedList } from "../../src/net/config.ts";
import { fails } from "../helpers/failures.ts";

const parse = (value: unknown, isList = true) =>
  parseNetworkFile(Buffer.from(typeof value === "string" ? value : JSON.stringify(value)), "/net.d/a.conflist", isList);
const list = { cniVersion: "1.0.0", name: "lan", plugins: [{ type: "bridge" }] };

describe("parseNetworkFile (NET-1, NET-2)", () => {
  it("a list, and a single configuration as a list of one", () => {
    const two = {
      ...list,
      plugins: [
        { type: "bridge", bridge: "b0" },
        { type: "portmap", capabilities: { portMappings: true, x: false } },
      ],
    };
    const parsed = parse(two);
    assert.deepEqual([parsed.name, parsed.plugins.map(({ type }) => type)], ["lan", ["bridge", "portmap"]]);
    assert.deepEqual([...(parsed.plugins[1]?.capabilities ?? [])], ["portMappings"]);
    const single = parse({ cniVersion: "0.4.0", name: "one", type: "macvlan", master: "eth0" }, false);
    assert.deepEqual([single.plugins.length, single.plugins[0]?.fields["master"]], [1, "eth0"]);
  });
  for (const version of cniVersions) {
    it(`version ${version} is spoken`, () => assert.equal(parse({ ...list, cniVersion: version }).cniVersion, version));
  }
  it("of several versions that are offered the newest known is taken", () => {
    assert.equal(parse({ ...list, cniVersion: "0.4.0", cniVersions: ["1.1.0", "9.0.0"] }).cniVersion, "1.1.0");
  });
  it("disableCheck and disableGC may be words", () => {
    const parsed = parse({ ...list, disableCheck: "true", disableGC: true });
    assert.deepEqual([parsed.disableCheck, parsed.disableGC], [true, true]);
  });
  for (const [why, value, message] of [
    ["an unknown version", { ...list, cniVersion: "0.1.0" }, /line 1: cniVersion: .*0\.1\.0/],
    ["no version", { ...list, cniVersion: undefined }, /cniVersion/],
    ["no name", { ...list, name: undefined }, /name: a name of letters/],
    ["a name that is a path", { ...list, name: "../x" }, /name: a name of letters/],
    ["no plugins", { ...list, plugins: [] }, /plugins: a list of 1 to 32/],
    ["a plugin without a type", { ...list, plugins: [{}] }, /plugins\.0\.type: the file name/],
    ["a type that is a path", { ...list, plugins: [{ type: "../../bin/sh" }] }, /plugins\.0\.type/],
    ["capabilities that are none", { ...list, plugins: [{ type: "a", capabilities: [] }] }, /plugins\.0\.capabilities/],
    ["no object", [], /not an object/],
    ["a flag that is none", { ...list, disableCheck: 1 }, /disableCheck: true or false/],
  ] as const) {
    it(`${why} is refused with file and field`, () => {
      assert.throws(() => parse(value), fails("CONFIG_INVALID", message));
      assert.throws(() => parse(value), fails("CONFIG_INVALID", /\/net\.d\/a\.conflist, line \d+.*NET-2/));
    });
  }
  it("the line is that of the field", () => {
    const text = '{\n "cniVersion": "1.0.0",\n "name": "lan",\n "plugins": [\n  {"type": "ok"},\n  {"type": 7}\n ]\n}';
    assert.throws(() => parse(text), fails("CONFIG_INVALID", /line 6: plugins\.1\.type/));
  });
  it("a duplicate key is no JSON", () => {
    assert.throws(() => parse('{"name":"a","name":"b"}'), fails("JSON_INVALID"));
  });
});

describe("storedList, builtinList", () => {
  it("bring a list back as it was", () => {
    const parsed = parse(list);
    const stored = storedList({ ...parsed, plugins: parsed.plugins.map(({ fields }) => fields) });
    assert.deepEqual(stored, parsed);
  });
  it("a built-in list that breaks a rule is a mistake of ours", () => {
    assert.throws(() => builtinList({}), fails("INTERNAL"));
  });
});
