import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readDiscoveryTags } from "../../src/fetch/meta.ts";
import type { CatalogueImage } from "../../src/site/catalogue.ts";
import { imageFile, parseSiteUrl } from "../../src/site/layout.ts";
import { escapeHtml, renderPage } from "../../src/site/page.ts";

const site = parseSiteUrl("https://cdn.example.com/x");
const [one, two] = ["11".repeat(20), "22".repeat(20)];

function image(name: string, fields: Partial<CatalogueImage> = {}): CatalogueImage {
  const key = { name, version: "1.0.0", os: "linux", arch: "amd64", ...fields };
  return { ...key, file: imageFile(key), size: 12, signers: fields.signers };
}

const usual = "https://cdn.example.com/x/{name}-{version}-{os}-{arch}.{ext}";

describe("renderPage", () => {
  it("DISC-1…3: its tags, as a client reads them, are the template and the keys of its images", async () => {
    const html = renderPage({
      site,
      name: "example.com/web",
      images: [image("example.com/web", { signers: [two, one] })],
    });
    const { images, keys } = await readDiscoveryTags(html);
    assert.deepEqual(images, [{ prefix: "example.com/web", url: usual }]);
    assert.deepEqual(
      keys.map(({ prefix, url }) => [prefix, url]),
      [one, two].map((key) => ["example.com/web", `https://cdn.example.com/x/keys/${key}.asc`]),
    );
  });

  it("a parent's page answers for everything below it, with the keys of all of it", async () => {
    const images = [
      image("example.com/a", { signers: [one] }),
      image("example.com/b/c", { signers: [two] }),
      image("example.com/d"),
    ];
    const html = renderPage({ site, name: "example.com", images });
    const tags = await readDiscoveryTags(html);
    assert.deepEqual(tags.images, [{ prefix: "example.com", url: usual }]);
    assert.equal(tags.keys.length, 2);
    for (const name of ["a", "b/c", "d"]) assert.match(html, new RegExp(`<a href="https://example.com/${name}">`));
  });

  it("images for any machine have a template without os and arch", async () => {
    const any = image("example.com/data", { os: undefined, arch: undefined });
    const { images } = await readDiscoveryTags(renderPage({ site, name: "example.com/data", images: [any] }));
    assert.deepEqual(images, [{ prefix: "example.com/data", url: "https://cdn.example.com/x/{name}-{version}.{ext}" }]);
    const parent = renderPage({ site, name: "example.com", images: [any, image("example.com/web")] });
    assert.equal((await readDiscoveryTags(parent)).images[0]?.url, usual);
  });

  it("T-D05: labels are text, whatever is in them", async () => {
    const version =
      `"><script>alert(1)</script><meta name='ac-discovery' content='example.com https://evil/{ext}'>`.replaceAll(
        "/",
        "",
      );
    const html = renderPage({
      site,
      name: "example.com/web",
      images: [image("example.com/web", { version: version.slice(0, 90) })],
    });
    assert.doesNotMatch(html, /<script|<meta name='/);
    assert.equal((await readDiscoveryTags(html)).images.length, 1);
  });

  it("an image without a signature says so", () => {
    assert.match(renderPage({ site, name: "example.com/web", images: [image("example.com/web")] }), /<td>none</);
  });

  it("needs no script and loads nothing from elsewhere", () => {
    const html = renderPage({ site, name: "example.com/web", images: [image("example.com/web", { signers: [one] })] });
    assert.doesNotMatch(html, /<script|src=|@import|url\(/);
  });
});

describe("escapeHtml", () => {
  it("leaves nothing that ends a text or an attribute", () =>
    assert.equal(escapeHtml(`<a b="c" d='&'>`), "&#60;a b=&#34;c&#34; d=&#39;&#38;&#39;&#62;"));
});
