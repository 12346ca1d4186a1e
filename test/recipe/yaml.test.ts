import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseLocatedYaml } from "../../src/recipe/yaml.ts";
import { fails } from "../helpers/failures.ts";

const parse = (text: string) => parseLocatedYaml(Buffer.from(text), "r.yaml");
const plain = (text: string): unknown => JSON.parse(JSON.stringify(parse(text).value));

describe("YAML with positions", () => {
  it("reads what JSON can say", () => {
    assert.deepEqual(plain("a: 1\nb: [x, 'y', null, true]\nc:\n  d: |\n    two\n    lines\n"), {
      a: 1,
      b: ["x", "y", null, true],
      c: { d: "two\nlines\n" },
    });
  });
  it("YAML 1.2: yes, 0755 and 1.0 are no booleans and no octals", () => {
    assert.deepEqual(plain("[yes, on, 0o17, 0755]"), ["yes", "on", 15, 755]);
  });
  it("knows where each value stands, and of one that is not there its nearest parent", () => {
    const { locate } = parse("name: x\nsteps:\n  - run: a\n  - copy:\n      from: b\n");
    assert.deepEqual(locate(["steps", 1, "copy", "from"]), { line: 5, column: 7 });
    assert.deepEqual(locate(["steps", 0]), { line: 3, column: 5 });
    assert.deepEqual(locate(["steps", 1, "copy", "to"]), { line: 4, column: 5 });
  });
  it("follows aliases, within limits", () => {
    assert.deepEqual(plain("a: &x [1, 2]\nb: *x\n"), { a: [1, 2], b: [1, 2] });
  });
  for (const [why, text, pattern] of [
    ["a key twice", "a: 1\na: 2\n", /^r\.yaml:2:1: .*twice/],
    ["a tab as indentation", "a:\n\t- b\n", /^r\.yaml:2:/],
    ["a second document", "a: 1\n---\nb: 2\n", /^r\.yaml:/],
    ["an unknown tag", "a: !ruby/object {}\n", /^r\.yaml:1:4/],
    ["a key that is no text", "1: a\n", /^r\.yaml:1:1: a key is text/],
    ["__proto__", "__proto__: {}\n", /__proto__/],
    ["a merge key is a key like others, and here twice", "a: {<<: 1, <<: 2}\n", /twice/],
    ["an alias of nothing", "a: *x\n", /^r\.yaml:1:4/],
    ["an open quote", 'a: "b\n', /^r\.yaml:/],
    ["an integer beyond 2^53", "a: 9007199254740993\n", /out of range/],
    ["infinity", "a: .inf\n", /out of range/],
  ] as const) {
    it(`refused with its place: ${why}`, () => assert.throws(() => parse(text), fails("RECIPE_INVALID", pattern)));
  }
  it("bytes that are no UTF-8 are refused", () => {
    assert.throws(() => parseLocatedYaml(Buffer.from([0x61, 0xff]), "r.yaml"), fails("RECIPE_INVALID", /UTF-8/));
  });
  it("RECIPE-3: a bomb of aliases is refused, soon", () => {
    const lines = Array.from(
      { length: 30 },
      (_, level) => `a${level + 1}: &b${level + 1} [${`*b${level},`.repeat(10)}]`,
    );
    const started = Date.now();
    assert.throws(() => parse(`a0: &b0 x\n${lines.join("\n")}\n`), fails("RECIPE_INVALID", /RECIPE-3/));
    assert.ok(Date.now() - started < 10_000);
  });
  it("RECIPE-3: as many keys and as many mistakes as a document has room for are read in a time that grows with it", () => {
    const keys = (count: number) => Array.from({ length: count }, (_, index) => `k${index}: v\n`).join("");
    const took = (text: string): number => {
      const start = process.cpuUsage();
      try {
        parse(text);
      } catch (error) {
        assert.ok(fails("RECIPE_INVALID")(error));
      }
      const { user, system } = process.cpuUsage(start);
      return user + system;
    };
    took(keys(4000));
    assert.ok(took(keys(16_000)) < 8 * Math.max(took(keys(4000)), 100_000), "four times the keys");
    const before = Error.stackTraceLimit;
    assert.ok(took(`b: ${"&a ".repeat(16_000)}`) < 8 * Math.max(took(`b: ${"&a ".repeat(4000)}`), 100_000));
    assert.equal(Error.stackTraceLimit, before);
  });
  it("RECIPE-3: as many tokens as take the library a second, whatever they are, are refused with their line", () => {
    // A token each: blanks, line ends, indicators, the mark before each scalar, the scalar.
    for (const [line, tokens] of [
      ["#", 2],
      ["a: b", 7],
      ["- - x", 7],
      ["{ }", 4],
    ] as const) {
      const lines = Math.ceil(120_000 / tokens) + 1;
      const pattern = /^r\.yaml:(\d+):1: RECIPE-3: more than 120000 tokens/;
      assert.throws(() => parse(`${line}\n`.repeat(lines)), fails("RECIPE_INVALID", pattern), line);
    }
    assert.equal(Object.keys(plain(`a: |\n${"  text\n".repeat(100_000)}`) as object).length, 1, "text is one token");
  });
  it("RECIPE-3: an alias of what it stands in is refused", () => {
    assert.throws(() => parse("a: &x [*x]\n"), fails("RECIPE_INVALID", /RECIPE-3|alias/));
  });
  for (const [why, text] of [
    ["brackets", "[".repeat(100_000)],
    ["braces", "{a: ".repeat(50_000)],
    ["dashes", "- ".repeat(100_000)],
    ["indentation", Array.from({ length: 600 }, (_, level) => `${" ".repeat(level)}a:`).join("\n")],
  ] as const) {
    it(`RECIPE-3: nested without end by ${why}`, () => assert.throws(() => parse(text), fails("RECIPE_INVALID")));
  }
  it("RECIPE-3: more than a mebibyte is refused", () => {
    assert.throws(() => parse(`a: ${"x".repeat(1024 * 1024)}`), fails("LIMIT_EXCEEDED"));
  });
});
