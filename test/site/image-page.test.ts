import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readDiscoveryTags } from "../../src/fetch/meta.ts";
import { parseSiteUrl } from "../../src/site/layout.ts";
import type { SiteImage } from "../../src/site/page.ts";
import { renderPages } from "../../src/site/pages.ts";
import { signer, siteImage } from "../helpers/site.ts";

const site = parseSiteUrl("https://example.com");

/** The page of the first of `images`. */
function page(...images: readonly SiteImage[]): string {
  const file = `${images[0]?.file}.html`;
  return new Map(renderPages({ site, images })).get(file) ?? "";
}

const app = { exec: ["/bin/app", "--x"], user: "0", group: "0" };

describe("renderImagePage (SITE-6)", () => {
  it("shows who signed it, its facts, and how to get it", () => {
    const html = page(siteImage("example.com/web", "1.0", { app }));
    for (const text of [
      "<h1>example.com/web <small>1.0</small></h1>",
      "Ann &#60;ann@example.com&#62;",
      "2026-01-02 03:04:05 UTC",
      `perigee trust --prefix example.com/web --fingerprint ${signer}`,
      "perigee fetch example.com/web:1.0",
      "perigee run example.com/web:1.0",
      "1.2 KiB, gzip",
      "2.0 KiB in 3 entries",
      "/bin/&#60;b&#62;app",
      "[&#34;/bin/app&#34;,&#34;--x&#34;]",
      'href="./../keys/',
      'href="./web-1.0-linux-amd64.aci.asc"',
      'href="./web-1.0-linux-amd64.aci.spdx.json"',
      'href="./../web/"',
    ]) {
      assert.ok(html.includes(text), text);
    }
  });

  it("T-D05, T-R43: nothing of a manifest becomes markup, a script or a tag of discovery", async () => {
    const evil = `</style></pre></code><script>alert(1)</script><meta name="ac-discovery" content="example.com https://evil/{ext}"><img src=x onerror=alert(1)>`;
    const html = page(
      siteImage("example.com/web", "1.0", {
        app: { ...app, exec: [evil], workingDirectory: `/${evil}`, environment: [{ name: "X", value: evil }] },
        annotations: [
          { name: "authors", value: evil },
          { name: "other", value: evil },
          { name: "homepage", value: `https://example.com/"onmouseover="alert(1)` },
        ],
        dependencies: [{ imageName: "example.com/base", labels: [{ name: "version", value: evil }] }],
        surprise: evil,
      }),
    );
    assert.doesNotMatch(html, /<script|<img|<meta name="ac-discovery"|" ?onmouseover/);
    assert.equal(html.match(/<style>/g)?.length, 1);
    assert.deepEqual(await readDiscoveryTags(html), { images: [], keys: [] });
  });

  it("nothing but http and https is a link", () => {
    const image = siteImage("example.com/web", "1.0");
    // The schema refuses it; a page must not depend on that.
    const manifest = JSON.parse(
      JSON.stringify({ ...image.facts?.manifest, annotations: [{ name: "homepage", value: "javascript:alert(1)" }] }),
    );
    const facts = image.facts && { ...image.facts, manifest };
    const html = page({ ...image, facts });
    assert.match(html, /javascript:alert/);
    assert.doesNotMatch(html, /href="[^"]*javascript/);
  });

  it("shows what it is made of, down to what is elsewhere, and what it is part of", () => {
    const web = siteImage("example.com/web", "2", { dependencies: [{ imageName: "example.com/libs" }] });
    const libs = siteImage("example.com/libs", "1", {
      dependencies: [
        { imageName: "example.com/base" },
        { imageName: "far.example/x", labels: [{ name: "version", value: "7" }] },
      ],
    });
    const base = siteImage("example.com/base", "3");
    const html = page(web, libs, base);
    assert.match(
      html,
      /<ul class="tree"><li><a href="\.\/libs-1-linux-amd64\.aci\.html">example\.com\/libs 1<\/a><ul>/,
    );
    assert.match(html, /far\.example\/x <span class="soft">\(elsewhere\)<\/span> <span class="soft">wanted: version=7/);
    assert.match(page(base, libs, web), /<h2>Part of<\/h2>\n<ul><li><a href="\.\/libs-1/);
  });

  it("a manifest of any size makes a page of some size", () => {
    const long = "x".repeat(1_000_000);
    const annotations = Array.from({ length: 1000 }, (_, index) => ({ name: `a${index}`, value: long.slice(0, 5000) }));
    const html = page(
      siteImage("example.com/web", "1.0", { annotations: [...annotations, { name: "long", value: long }] }),
    );
    assert.ok(html.length < 1_000_000, String(html.length));
    assert.match(html, /And 801 more, in the manifest/);
  });

  it("an image of which nothing more is known has a page too", () => {
    const html = page({ ...siteImage("example.com/web", "1.0"), facts: undefined, signers: undefined });
    assert.match(html, /It is not signed/);
    assert.match(html, /perigee fetch example\.com\/web:1\.0/);
  });
});
