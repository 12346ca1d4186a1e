import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseForm } from "../../src/metadata/form.ts";

const parsed = (text: string) => {
  const form = parseForm(Buffer.from(text, "latin1"));
  return form === undefined
    ? undefined
    : Object.fromEntries([...form].map(([name, value]) => [name, value.toString("latin1")]));
};

describe("a form", () => {
  it("is read as bytes, which need not be text", () => {
    assert.deepEqual(parsed("content=Old%20MacDonald+Had&uuid=x&empty="), {
      content: "Old MacDonald Had",
      uuid: "x",
      empty: "",
    });
    assert.deepEqual(parsed("content=%00%FF%c3%28"), { content: "\0\xff\xc3\x28" });
    assert.deepEqual(parsed("a=b=c&&d"), { a: "b=c", d: "" });
    assert.deepEqual(parsed(""), {});
    assert.deepEqual(parsed(new URLSearchParams({ content: "a&b=c%+ \n" }).toString()), { content: "a&b=c%+ \n" });
  });

  for (const text of ["content=%zz", "content=%2", "%=x", "content=a&content=b"]) {
    it(`is none: ${text}`, () => assert.equal(parsed(text), undefined));
  }
});
