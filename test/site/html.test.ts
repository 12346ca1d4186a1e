import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { escapeHtml, html, spacedFingerprint, webLink } from "../../src/site/html.ts";

describe("html", () => {
  it("T-D05: what is put into it is text, wherever it stands", () => {
    const text = `"><script>alert('x')</script>&amp;`;
    const { markup } = html`<a title="${text}">${text}</a>`;
    assert.doesNotMatch(markup, /<script|"></);
    assert.equal(markup.match(/&#38;amp;/g)?.length, 2);
  });
  it("its own kind stays what it is, nothing is nothing, and numbers are numbers", () => {
    assert.equal(html`<p>${[html`<b>${1}</b>`, html`<i>${undefined}</i>`]}</p>`.markup, "<p><b>1</b>\n<i></i></p>");
  });
  it("T-R47: marks that hide or turn text around are shown; lines stay", () =>
    assert.equal(html`${"a\u202eb\u0000\n\tc\u009b"}`.markup, "a\\u{202e}b\\x00\n\tc\\x9b"));
});

describe("escapeHtml", () => {
  it("leaves nothing that ends a text or an attribute", () =>
    assert.equal(escapeHtml(`<a b="c" d='&'>`), "&#60;a b=&#34;c&#34; d=&#39;&#38;&#39;&#62;"));
});

describe("webLink", () => {
  it("links http and https", () => {
    assert.match(
      webLink("https://example.com/a?b&c").markup,
      /^<a href="https:\/\/example\.com\/a\?b&#38;c" rel="[^"]+">/,
    );
    assert.match(webLink("HTTP://example.com").markup, /^<a href/);
  });
  for (const url of [
    "javascript:alert(1)",
    " javascript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "java\nscript:x",
    "//x",
    "x",
    "",
  ]) {
    it(`${JSON.stringify(url)} is text`, () => assert.doesNotMatch(webLink(url).markup, /<a|href/));
  }
});

describe("spacedFingerprint", () => {
  it("groups of four", () => assert.equal(spacedFingerprint("0123456789ab"), "0123 4567 89AB"));
});
