import assert from "node:assert/strict";
import { dirname, join } from "node:path/posix";
import { describe, it } from "node:test";
import { parseSiteUrl } from "../../src/site/layout.ts";
import { filesOf, namePages, renderPages } from "../../src/site/pages.ts";
import { siteImage } from "../helpers/site.ts";
import { failure } from "../helpers/trust.ts";

const images = [
  siteImage("example.com/a", "1", { dependencies: [{ imageName: "example.com/group/b" }] }),
  siteImage("example.com/group/b", "1+x y"),
  siteImage("other.org/c", "1"),
];

/** The file of the site that a link of a page leads to. */
function targetOf(page: string, link: string, url: string): string {
  const path =
    link[0] === "." ? join(dirname(page), decodeURIComponent(link)) : decodeURIComponent(link).slice(url.length + 1);
  return ["", ".", "./"].includes(path) ? "index.html" : path.replace(/\/$/, "/index.html");
}

describe("renderPages (SITE-6)", () => {
  for (const url of ["https://example.com", "https://example.com/group", "https://cdn.example.net/some/where"]) {
    it(`every link of every page leads to a file of the site at ${url}`, () => {
      const site = parseSiteUrl(url);
      const files = filesOf(site, images);
      const pages = [...renderPages({ site, images })];
      const links = pages.flatMap(([page, html]) =>
        [...html.matchAll(/href="([^"]*)"/g)].map(([, link = ""]) => [page, link] as const),
      );
      for (const [page] of pages) assert.ok(files.has(page), page);
      for (const [page, link] of links) assert.ok(files.has(targetOf(page, link, site.url)), `${page}: ${link}`);
      assert.ok(links.length > 3 * pages.length);
    });
  }

  it("there is always a page at the address of the site", () => {
    const site = parseSiteUrl("https://cdn.example.net/some/where");
    assert.match(new Map(renderPages({ site, images })).get("index.html") ?? "", /example\.com\/a/);
  });
});

describe("namePages", () => {
  it("two names of one file are refused", () => {
    const clash = [siteImage("example.com/foo.org/x", "1"), siteImage("foo.org/x", "1")];
    assert.throws(() => namePages(parseSiteUrl("https://example.com"), clash), failure("UNSUPPORTED", /one file/));
  });
});
