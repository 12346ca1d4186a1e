import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultJsonLimits, parseLocatedJson, parseStrictJson } from "../../src/schema/strict-json.ts";
import { fails } from "../helpers/failures.ts";

const parse = (text: string) => parseStrictJson(Buffer.from(text), "document");

describe("parseStrictJson (T-R46, A05, A06)", () => {
  it("agrees with JSON.parse on what both accept", () => {
    const text = '{"a":[1,-0.5,1e2,true,false,null,"x\\u00e9\\n\\ud83d\\ude00"],"b":{"c":{}},"d":"\\/\\b\\f"}';
    assert.deepEqual(JSON.parse(JSON.stringify(parse(text))), JSON.parse(text));
  });
  it("makes objects without a prototype", () => {
    assert.equal(Object.getPrototypeOf(parse("{}")), null);
    assert.equal(Object.getPrototypeOf(Reflect.get(Object(parse('{"a":{}}')), "a")), null);
  });
  it("T-R46, A05, JSON-1: takes a document of the limit and not one byte more", () => {
    const limits = { bytes: 10, depth: 4 };
    assert.equal(parseStrictJson(Buffer.from('"12345678"'), "document", limits), "12345678");
    const tooLong = Buffer.from('"123456789"');
    assert.throws(() => parseStrictJson(tooLong, "document", limits), fails("LIMIT_EXCEEDED", /11 bytes.*10 allowed/));
  });
  it("T-R46, JSON-8: takes levels up to the limit", () => {
    const limits = { bytes: 100, depth: 3 };
    assert.deepEqual(parseStrictJson(Buffer.from("[[[]]]"), "document", limits), [[[]]]);
    assert.throws(
      () => parseStrictJson(Buffer.from("[[[[]]]]"), "document", limits),
      fails("JSON_INVALID", /3 levels/),
    );
  });
  it("T-R46, A05: a megabyte of brackets, or of text, ends at once", () => {
    assert.throws(() => parse("[".repeat(1_000_000)), fails("JSON_INVALID", /64 levels/));
    assert.throws(() => parse(`"${"a".repeat(5_000_000)}"`), fails("LIMIT_EXCEEDED"));
  });
  it("A05: 4 MiB are read, one byte more is not, whatever it holds", () => {
    const { bytes } = defaultJsonLimits;
    assert.equal(bytes, 4 * 1024 * 1024);
    const text = `"${"a".repeat(bytes - 2)}"`;
    assert.equal(String(parse(text)).length, bytes - 2);
    for (const more of [`${text} `, `\ufeff${text}`]) {
      assert.throws(() => parse(more), fails("LIMIT_EXCEEDED", /more than the 4194304 allowed \(JSON-1\)/));
    }
  });
  it("T-R46, A06, JSON-4, JSON-5: nobody's prototype is touched, and what is refused is refused in time", () => {
    const hostile = [
      '{"__proto__": {"polluted": 1}}',
      '{"a": {"__proto__": {"polluted": 1}}}',
      '{"constructor": {"prototype": {"polluted": 1}}}',
    ];
    for (const text of hostile) {
      try {
        Object.assign({}, parse(text));
      } catch (error) {
        assert.ok(fails("JSON_INVALID", /JSON-5/)(error));
      }
    }
    assert.equal(Reflect.get({}, "polluted"), undefined);
    const began = process.cpuUsage();
    const keys = Array.from({ length: 200_000 }, (_, index) => `"k${index}":0`).join(",");
    assert.throws(() => parse(`{${keys},"k0":1}`), fails("JSON_INVALID", /JSON-4: the key "k0" stands twice/));
    assert.throws(() => parse(`[${"9".repeat(4_000_000)}]`), fails("JSON_INVALID", /JSON-6/));
    assert.throws(() => parse(`["${"\\ud800".repeat(600_000)}"]`), fails("JSON_INVALID", /JSON-7/));
    assert.throws(() => parse(`${"\n".repeat(4_000_000)}x`), fails("JSON_INVALID", /line 4000001 column 1: JSON-3/));
    // Microseconds of this process alone: a busy machine makes no parser slow.
    assert.ok(process.cpuUsage(began).user < 5_000_000);
  });
  it("names the document, and shows foreign text escaped (T-R47)", () => {
    assert.throws(() => parse('{"\\u001b[2J":1,"\\u001b[2J":2}'), fails("JSON_INVALID", /^document .*x1b\[2J.*twice/));
  });
});

describe("parseLocatedJson", () => {
  const { locate } = parseLocatedJson(Buffer.from('\n{"a": [1,\n  {"b": "é", "c": 2}]}'), "document");
  for (const { path, at } of [
    { path: [], at: "2:1" },
    { path: ["a"], at: "2:7" },
    { path: ["a", 0], at: "2:8" },
    { path: ["a", 1], at: "3:3" },
    { path: ["a", 1, "c"], at: "3:19" },
    { path: ["a", 1, "missing"], at: "3:3" },
    { path: ["a", 1, "b", "deeper"], at: "3:9" },
    { path: ["missing", "deeper"], at: "2:1" },
  ]) {
    it(`finds ${JSON.stringify(path)} at ${at}`, () => {
      const { line, column } = locate(path);
      assert.equal(`${line}:${column}`, at);
    });
  }
});
