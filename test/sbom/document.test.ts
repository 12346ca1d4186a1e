import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { contentUuid, documentText, oneLine, person, timeText, webAddress } from "../../src/sbom/document.ts";

describe("the parts of a bill of materials (SBOM-6)", () => {
  it("an identity that follows from the content", () => {
    assert.match(contentUuid({ a: 1 }), /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(contentUuid({ a: 1 }), contentUuid({ a: 1 }));
    assert.notEqual(contentUuid({ a: 1 }), contentUuid({ a: 2 }));
  });
  it("times in whole seconds", () => {
    assert.equal(timeText(0), "1970-01-01T00:00:00Z");
    assert.equal(timeText(99_999_999_999), "5138-11-16T09:46:39Z");
  });
  it("foreign text as one line that strict readers take", () => {
    assert.equal(oneLine(" a\n\tb \u{1f600}"), "a b \u{1f600}");
    assert.equal(oneLine("ab\u{1f600}", 3), "ab\ufffd");
  });
  it("addresses of the web alone, without credentials", () => {
    assert.equal(webAddress("https://example.com"), "https://example.com/");
    for (const text of [undefined, "", "example.com", "javascript:alert(1)", "file:///x", "https://u:p@example.com"]) {
      assert.equal(webAddress(text), undefined, text);
    }
  });
  it("names and mail addresses apart", () => {
    assert.deepEqual(person("A B <a@example.com>"), { name: "A B", email: "a@example.com" });
    assert.deepEqual(person("A B"), { name: "A B" });
    assert.deepEqual(person("<a@example.com>"), { name: "<a@example.com>" });
  });
  it("T-R47: bytes that repaint nothing", () => {
    const text = documentText({ a: "\u009b\u202e\u001bé" });
    assert.equal(text, '{\n  "a": "\\u009b\\u202e\\u001bé"\n}\n');
    assert.deepEqual(JSON.parse(text), { a: "\u009b\u202e\u001bé" });
  });
});
