import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readDiscoveryTags } from "../../src/fetch/meta.ts";
import { imageFile, parseSiteUrl } from "../../src/site/layout.ts";
import { renderNamePage, renderSitePage, type SiteImage } from "../../src/site/page.ts";

const site = parseSiteUrl("https://cdn.example.com/x");
const [one, two] = ["11".repeat(20), "22".repeat(20)];

function image(name: string, fields: Partial<SiteImage> = {}): SiteImage {
  const key = { name, version: "1.0.0", os: "linux", arch: "amd64", ...fields };
  return { ...key, file: imageFile(key), size: 12, signers: fields.signers, facts: fields.facts };
}

const page = (name: string, images: readonly SiteImage[], of = site): string =>
  renderNamePage({ site: of, images }, name);

const usual = "https://cdn.example.com/x/{name}-{version}-{os}-{arch}.{ext}";

describe("renderNamePage", () => {
  it("DISC-1…3: its tags, as a client reads them, are the template and the keys of its images", async () => {
    const html = page("example.com/web", [image("example.com/web", { signers: [two, one] })]);
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
    const html = page("example.com", images);
    const tags = await readDiscoveryTags(html);
    assert.deepEqual(tags.images, [{ prefix: "example.com", url: usual }]);
    assert.equal(tags.keys.length, 2);
    for (const name of ["a", "b/c", "d"])
      assert.match(html, new RegExp(`<a href="https://cdn.example.com/x/example.com/${name}/">`));
  });

  it("images for any machine have a template without os and arch", async () => {
    const any = image("example.com/data", { os: undefined, arch: undefined });
    const { images } = await readDiscoveryTags(page("example.com/data", [any]));
    assert.deepEqual(images, [{ prefix: "example.com/data", url: "https://cdn.example.com/x/{name}-{version}.{ext}" }]);
    const parent = page("example.com", [any, image("example.com/web")]);
    assert.equal((await readDiscoveryTags(parent)).images[0]?.url, usual);
  });

  it("T-D05: labels are text, whatever is in them", async () => {
    const version =
      `"><script>alert(1)</script><meta name='ac-discovery' content='example.com https://evil/{ext}'>`.replaceAll(
        "/",
        "",
      );
    const html = page("example.com/web", [image("example.com/web", { version: version.slice(0, 90) })]);
    assert.doesNotMatch(html, /<script|<meta name='/);
    assert.equal((await readDiscoveryTags(html)).images.length, 1);
  });

  it("an image without a signature says so", () => {
    const html = page("example.com/web", [image("example.com/web")]);
    assert.match(html, /<td>nobody</);
    assert.match(html, /class="warn">It is not signed/);
    assert.doesNotMatch(html, /perigee trust/);
  });

  it("needs no script and loads nothing from elsewhere", () => {
    const html = page("example.com/web", [image("example.com/web", { signers: [one] })]);
    assert.doesNotMatch(html, /<script|src=|@import|url\(/);
  });
});

describe("renderNamePage, for people", () => {
  const own = parseSiteUrl("https://example.com");
  it("SITE-6: the site's own address shows everything, its tags only what they are for", async () => {
    const html = page(
      "example.com",
      [image("example.com/a", { signers: [one] }), image("other.org/b", { signers: [two] })],
      own,
    );
    assert.match(html, /<a href="\.\/a\/">example\.com\/a<\/a>/);
    assert.match(html, /<a href="\.\/other\.org\/b\/">other\.org\/b<\/a>/);
    assert.equal((await readDiscoveryTags(html)).keys.length, 1);
    const alone = renderSitePage({ site, images: [image("example.com/a")] });
    assert.deepEqual(await readDiscoveryTags(alone), { images: [], keys: [] });
    assert.match(alone, /example\.com\/a<\/a>/);
  });

  it("versions stand newest first, and the commands are of the newest", () => {
    const html = page(
      "example.com/a",
      ["1.9.0", "1.10.0", "1.10.0-rc.1"].map((version) => image("example.com/a", { version, signers: [one] })),
      own,
    );
    const order = [...html.matchAll(/aci\.html">([^<]+)</g)].map(([, version]) => version);
    assert.deepEqual(order, ["1.10.0", "1.10.0-rc.1", "1.9.0"]);
    assert.match(html, /<code>perigee fetch example\.com\/a:1\.10\.0<\/code>/);
    assert.match(html, new RegExp(`<code>perigee trust --prefix example\\.com/a --fingerprint ${one}</code>`));
  });

  it("a long list is cut, because clients read 1 MiB of a page", () => {
    const images = Array.from({ length: 3000 }, (_, index) =>
      image(`example.com/${"long-name-".repeat(5)}${index}`, { signers: [one] }),
    );
    const html = page("example.com", images, own);
    assert.ok(Buffer.byteLength(html) < 1024 * 1024, String(Buffer.byteLength(html)));
    assert.match(html, /And 1500 more names/);
  });
});
