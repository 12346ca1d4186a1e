import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { linkTo, type Place, placeOfName, renderDocument, table } from "../../src/site/document.ts";
import { html } from "../../src/site/html.ts";
import { parseSiteUrl } from "../../src/site/layout.ts";

const site = parseSiteUrl("https://example.com/images");

describe("linkTo", () => {
  const at = (file: string): Place => ({ site, file, isBelowSite: true });
  for (const [from, to, link] of [
    ["index.html", "a/b.aci", "./a/b.aci"],
    ["index.html", "a/index.html", "./a/"],
    ["index.html", "index.html", "./"],
    ["a/index.html", "index.html", "./../"],
    ["a/index.html", "a/index.html", "./"],
    ["a/b/index.html", "a/c.aci", "./../c.aci"],
    ["a/x.aci.html", "a/x.aci", "./x.aci"],
    ["a/x.aci.html", "keys/1.asc", "./../keys/1.asc"],
    ["index.html", "a:b/c d?e#f.aci", "./a%3Ab/c%20d%3Fe%23f.aci"],
  ] as const) {
    it(`${from} → ${to}`, () => assert.equal(linkTo(at(from), to), link));
  }
  it("from another host's page it is the whole URL", () => {
    const place = placeOfName(site, "other.org/x");
    assert.equal(linkTo(place, "a/b c.aci"), "https://example.com/images/a/b%20c.aci");
    assert.equal(linkTo(place, "a/index.html"), "https://example.com/images/a/");
    assert.equal(linkTo(place, "index.html"), "https://example.com/images/");
  });
});

describe("renderDocument (SITE-6)", () => {
  const text = renderDocument({
    place: placeOfName(site, "example.com/images/a"),
    title: "<t>",
    name: "example.com/images/a",
    tags: [["ac-discovery", "example.com/a https://x/{ext}"]],
    body: [html`<h1>a</h1>`],
  });
  it("lets nothing be loaded, run or sent but its own sheet", () => {
    const sheet = /<style>([\s\S]*)<\/style>/.exec(text)?.[1] ?? "";
    const digest = createHash("sha256").update(sheet).digest("base64");
    const policy = `default-src &#39;none&#39;; style-src &#39;sha256-${digest}&#39;; base-uri &#39;none&#39;; form-action &#39;none&#39;`;
    assert.ok(text.includes(`<meta http-equiv="Content-Security-Policy" content="${policy}">`));
    assert.doesNotMatch(text, /<script|<link|src=|@import|url\(|style="/);
  });
  it("has a language, a title, one heading, the way up and a place for the content", () => {
    assert.match(text, /<html lang="en">/);
    assert.match(text, /<title>&#60;t&#62;<\/title>/);
    assert.equal(text.match(/<h1>/g)?.length, 1);
    assert.match(
      text,
      /<nav aria-label="[^"]+"><ol><li><a href="\.\/\.\.\/">example\.com\/images<\/a><\/li>\n<li aria-current="page">a<\/li>/,
    );
    assert.match(text, /<main>/);
  });
});

describe("table", () => {
  it("has headings for columns and rows, and a name", () => {
    const { markup } = table({ caption: "C", columns: ["A", "#B"], rows: [[html`1`, html`2`]] });
    assert.match(markup, /<caption>C<\/caption>/);
    assert.match(markup, /<th scope="col">A<\/th>\n<th scope="col" class="number">B<\/th>/);
    assert.match(markup, /<tr><th scope="row">1<\/th>\n<td class="number">2<\/td><\/tr>/);
  });
});
