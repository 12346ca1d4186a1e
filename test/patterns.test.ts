/**
 * Every pattern of src/ against text that is made to be slow: most of them meet text of strangers sooner or later, so none may take
 * time that grows faster than the text.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Failure, redact } from "../src/base/failure.ts";
import { sanitiseName } from "../src/schema/grammar.ts";

interface Pattern {
  readonly file: string;
  readonly expression: RegExp;
}

const patterns: readonly Pattern[] = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .flatMap((file) => patternsIn(file, readFileSync(join("src", file), "utf8")));

/** The pattern literals of a source file; behind one stands what can follow a value. */
function patternsIn(file: string, text: string): readonly Pattern[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[\s;{}(),])\/\/.*$/gm, "$1");
  const literal =
    /(?<=[(=,:!&|?[\s]\s{0,20})\/((?![*/ ])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([gimsuy]*)(?=\s*[.),;\n])/g;
  return [...code.matchAll(literal)].flatMap(([, source = "", flags = ""]) => {
    try {
      return [{ file, expression: new RegExp(source, flags) }];
    } catch {
      return []; // two divisions, or a path in a sentence
    }
  });
}

/** What patterns repeat, and the beginnings of what they look for. */
const pieces = [
  ..."aA0-./ \t\n\r{<:@='[\"\\\0,é_=",
  ...["1.", "a.", "a-", "a://", "://", "a:", "-a", "0s", "@a/", "=a", "<a", "{a", ",a", "\\0"],
  ...["authorization: ", "authorization: basic ", "?token=", "-----BEGIN CERTIFICATE-----"],
];
const ends = ["", "!", "\n"];

function* hostileTexts(length: number): Generator<string> {
  for (const piece of pieces) {
    const body = piece.repeat(length / piece.length);
    for (const end of ends) yield `${body}${end}`;
    yield `!${body}!`;
  }
}

/** Milliseconds of the processor, which no other work on the machine lengthens much. */
function processorTime(work: () => void): number {
  const begin = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / 1000;
}

/** What one search through the whole of `text` takes. */
function timeOf(expression: RegExp, text: string): number {
  const everywhere = expression.sticky ? expression : new RegExp(expression, `${expression.flags.replace("g", "")}g`);
  return processorTime(() => text.replace(everywhere, ""));
}

/** The text of `length` that takes longest, and how long. */
function slowest(expression: RegExp, length: number): { readonly text: string; readonly milliseconds: number } {
  let worst = { text: "", milliseconds: 0 };
  for (const text of hostileTexts(length)) {
    const milliseconds = timeOf(expression, text);
    if (milliseconds > worst.milliseconds) worst = { text, milliseconds };
  }
  return worst;
}

/** So short that a quadratic search ends, and so long that it takes many times what a linear one does. */
const shortText = 8192;
const longText = 1_048_576;
const shortBound = 150;
const longBound = 2000;

function assertLinear(expression: RegExp): void {
  // A machine that does other things is given a second look; a pattern that is slow stays slow.
  let worst = slowest(expression, shortText);
  if (worst.milliseconds > shortBound) worst = { ...worst, milliseconds: timeOf(expression, worst.text) };
  const sample = JSON.stringify(worst.text.slice(0, 40));
  assert.ok(worst.milliseconds < shortBound, `${worst.milliseconds} ms for ${shortText} characters such as ${sample}`);
  const text = worst.text.repeat(Math.floor(longText / Math.max(worst.text.length, 1)));
  const milliseconds = timeOf(expression, text);
  assert.ok(milliseconds < longBound, `${milliseconds} ms for a million characters such as ${sample}`);
}

describe("patterns take time in proportion to the text (T-D04, T-R47)", () => {
  it("are found", () => {
    assert.ok(patterns.length > 120, `only ${patterns.length}`);
    assert.ok(patterns.some(({ expression }) => expression.source === "0+$") === false);
    const found = patternsIn("x", 'if (/a+b/.test(x) || x.replace(/-+$/g, "") === y) z = 4 / 2 / 1;');
    assert.deepEqual(
      found.map(({ expression }) => String(expression)),
      ["/a+b/", "/-+$/g"],
    );
  });
  it("a slow one is told", () => assert.throws(() => assertLinear(/[a-z][a-z0-9+.-]*:\/\//), /characters such as/));
  for (const { file, expression } of patterns) it(`${file} ${expression}`, () => assertLinear(expression));
});

describe("functions that meet text of any length", () => {
  const megabyte = (piece: string) => piece.repeat(longText / piece.length);
  it("a failure takes moments to make, and is short", () => {
    for (const text of hostileTexts(longText)) {
      const milliseconds = processorTime(() => {
        const failure = new Failure("HTTP_FAILED", `cannot get ${text}`, { subject: text, hint: text });
        assert.ok(failure.message.length < 5000 && (failure.subject?.length ?? 0) < 5000);
      });
      assert.ok(milliseconds < longBound, JSON.stringify(text.slice(0, 40)));
    }
  });
  it("a credential behind a megabyte goes before the text is cut", () => {
    const text = `https://user:${megabyte("x")}@example.com/`;
    assert.equal(redact(text), "https://***@example.com/");
    assert.doesNotMatch(new Failure("HTTP_FAILED", text).message, /xx/);
  });
  it("a name is made of a megabyte of dashes, or not", () => {
    const milliseconds = processorTime(() => {
      assert.equal(sanitiseName(`a${megabyte("-")}b`), "a-b");
      assert.equal(sanitiseName(`!${megabyte("-")}!`), undefined);
    });
    assert.ok(milliseconds < longBound);
  });
});
