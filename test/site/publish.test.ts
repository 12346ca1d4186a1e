import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { readDiscoveryTags } from "../../src/fetch/meta.ts";
import { type ImageToPublish, type PublishedSite, publishSite } from "../../src/site/publish.ts";
import { failure } from "../helpers/trust.ts";

const [one, two] = ["11".repeat(20), "22".repeat(20)];
let directory = "";
const at = (...names: readonly string[]): string => join(directory, ...names);
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), `perigee-test-${process.pid}-`));
});
afterEach(() => rmSync(directory, { recursive: true }));

interface Wanted extends Partial<Omit<ImageToPublish, "signature">> {
  readonly content?: string;
}

/** An image file of this content, signed by `signers` if any. */
function image(name: string, version: string | undefined, wanted: Wanted = {}): ImageToPublish {
  const { content = `${name} ${version}`, signers = [one], ...rest } = wanted;
  const path = at(`${name}-${version}-${content.length}.aci`.replaceAll("/", "_"));
  writeFileSync(path, content);
  const signature = signers.length === 0 ? undefined : Buffer.from(`signature of ${content}`);
  return { name, version, os: "linux", arch: "amd64", path, signature, signers, ...rest };
}

function publish(
  images: readonly ImageToPublish[],
  url = "https://example.com",
  options: { readonly prune?: boolean } = {},
): Promise<PublishedSite> {
  const keys = [one, two].map((fingerprint) => ({ fingerprint, armored: Buffer.from(`key ${fingerprint}`) }));
  const used = new Set(images.flatMap(({ signers }) => signers));
  return publishSite({
    directory: at("site"),
    url,
    images,
    keys: keys.filter(({ fingerprint }) => used.has(fingerprint)),
    ...options,
  });
}

const files = (): readonly string[] =>
  readdirSync(at("site"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(at("site").length + 1))
    .sort();
const read = (file: string): string => readFileSync(at("site", file), "utf8");
const stamps = (): readonly string[] =>
  files().map((file) => {
    const { ino, mtimeNs, ctimeNs } = statSync(at("site", file), { bigint: true });
    return `${file} ${ino} ${mtimeNs} ${ctimeNs}`;
  });

describe("publishSite", () => {
  it("writes image, signature, key, pages and catalogue", async () => {
    const published = await publish([image("example.com/group/web", "1.0.0")]);
    const file = "example.com/group/web-1.0.0-linux-amd64.aci";
    assert.deepEqual(files(), [
      `${file}`,
      `${file}.asc`,
      `${file}.html`,
      "example.com/group/web-latest-linux-amd64.aci",
      "example.com/group/web-latest-linux-amd64.aci.asc",
      "group/index.html",
      "group/web/index.html",
      "index.html",
      `keys/${one}.asc`,
      "site.json",
    ]);
    assert.equal(read(file), "example.com/group/web 1.0.0");
    assert.deepEqual(published.images, [
      {
        name: "example.com/group/web",
        version: "1.0.0",
        os: "linux",
        arch: "amd64",
        file,
        url: `https://example.com/${file}`,
        isSigned: true,
        change: "added",
      },
    ]);
    assert.deepEqual(published.pages, [
      { url: "https://example.com/group/web", file: "group/web/index.html" },
      { url: "https://example.com/group", file: "group/index.html" },
      { url: "https://example.com", file: "index.html" },
    ]);
    const { images, keys } = await readDiscoveryTags(read("group/index.html"));
    assert.deepEqual(images, [
      { prefix: "example.com/group", url: "https://example.com/{name}-{version}-{os}-{arch}.{ext}" },
    ]);
    assert.deepEqual(keys, [{ prefix: "example.com/group", url: `https://example.com/keys/${one}.asc` }]);
  });

  it("twice changes nothing, to the inode and the nanosecond", async () => {
    const images = [
      image("example.com/web", "1.0.0"),
      image("example.com/web", "2.0.0"),
      image("other.org/x", undefined),
    ];
    await publish(images);
    const before = stamps();
    const again = await publish(images);
    assert.deepEqual(stamps(), before);
    assert.deepEqual(
      again.images.map(({ change }) => change),
      ["unchanged", "unchanged", "unchanged"],
    );
  });

  it("adds to what is there", async () => {
    await publish([image("example.com/a", "1", { signers: [one] })]);
    await publish([image("example.com/b", "1", { signers: [two] })]);
    const { keys } = await readDiscoveryTags(read("index.html"));
    assert.equal(keys.length, 2);
    assert.equal((await readDiscoveryTags(read("a/index.html"))).keys.length, 1);
    assert.ok(existsSync(at("site/example.com/a-1-linux-amd64.aci")));
  });

  it("DISC-12, T-D12: `latest` is the highest version, whatever is published last", async () => {
    const latest = () => read("example.com/web-latest-linux-amd64.aci");
    await publish([image("example.com/web", "1.10.0"), image("example.com/web", "1.9.0")]);
    assert.equal(latest(), "example.com/web 1.10.0");
    await publish([image("example.com/web", "1.2.0")]);
    assert.equal(latest(), "example.com/web 1.10.0");
    await publish([image("example.com/web", "2.0.0", { signers: [] })]);
    assert.equal(latest(), "example.com/web 2.0.0");
    assert.equal(
      existsSync(at("site/example.com/web-latest-linux-amd64.aci.asc")),
      false,
      "the old signature went with the old image",
    );
    await publish([image("example.com/web", undefined)]);
    assert.equal(latest(), "example.com/web undefined");
    await publish([image("example.com/web", "3.0.0")]);
    assert.equal(latest(), "example.com/web undefined", "an image without a version is the latest itself");
  });

  it("SBOM-8: bills of materials go with their image, also as `latest`, and with it when it is replaced", async () => {
    const documents = [{ suffix: ".spdx.json", bytes: Buffer.from("bill") }];
    await publish([image("example.com/web", "1.0.0", { documents })]);
    const file = (version: string, suffix: string) => `example.com/web-${version}-linux-amd64.aci${suffix}`;
    assert.deepEqual([read(file("1.0.0", ".spdx.json")), read(file("latest", ".spdx.json"))], ["bill", "bill"]);
    const before = stamps();
    await publish([image("example.com/web", "1.0.0", { documents })]);
    assert.deepEqual(stamps(), before);
    await publish([image("example.com/web", "2.0.0")]);
    assert.deepEqual(
      files().filter((name) => /\.json$/.test(name)),
      [file("1.0.0", ".spdx.json"), "site.json"],
    );
    await publish([image("example.com/web", "1.0.0", { content: "another" })]);
    assert.ok(!files().includes(file("1.0.0", ".spdx.json")));
  });
  it("an image of the same labels replaces the old one with its signature", async () => {
    await publish([image("example.com/web", "1")]);
    const { images } = await publish([image("example.com/web", "1", { content: "rebuilt" })]);
    assert.equal(images[0]?.change, "replaced");
    assert.equal(read("example.com/web-1-linux-amd64.aci.asc"), "signature of rebuilt");
    assert.equal(read("example.com/web-latest-linux-amd64.aci"), "rebuilt");
  });

  it("names of other hosts have their pages in a directory of the host", async () => {
    const { pages } = await publish(
      [image("example.org/web", "1"), image("example.com/images/x", "1")],
      "https://example.com/images",
    );
    assert.deepEqual(pages.map(({ url, file }) => [url, file]).sort(), [
      ["https://example.com", "example.com/index.html"],
      ["https://example.com/images", "index.html"],
      ["https://example.com/images/x", "x/index.html"],
      ["https://example.org", "example.org/index.html"],
      ["https://example.org/web", "example.org/web/index.html"],
    ]);
    assert.equal(
      (await readDiscoveryTags(read("example.org/index.html"))).images[0]?.url,
      "https://example.com/images/{name}-{version}-{os}-{arch}.{ext}",
    );
  });

  it("what cannot be found by one template is refused, and nothing is written", async () => {
    const refuse = (images: readonly ImageToPublish[], code: "USAGE" | "UNSUPPORTED", why: RegExp) =>
      assert.rejects(publish(images), failure(code, why));
    await refuse(
      [image("example.com/web", "1"), image("example.com/web", "1", { content: "twin" })],
      "USAGE",
      /one file/,
    );
    await refuse(
      [image("example.com/web", "1"), image("example.com/web", "2", { os: undefined })],
      "UNSUPPORTED",
      /with and without/,
    );
    await refuse([image("example.com/web", "a/b")], "UNSUPPORTED", /file name/);
    await refuse([image("example.com/foo.org/x", "1"), image("foo.org/x", "1")], "UNSUPPORTED", /one file/);
    assert.equal(existsSync(at("site")), false);
    await publish([image("example.com/a", "1-2")]);
    await refuse([image("example.com/a-1", "2")], "UNSUPPORTED", /already/);
  });

  it("SITE-5: an image whose file somebody removed goes away with all that belonged to it, its key too", async () => {
    await publish([
      image("example.com/g/a", "1", { signers: [two] }),
      image("example.com/b", "1"),
      image("example.com/b", "2"),
    ]);
    rmSync(at("site/example.com/g/a-1-linux-amd64.aci"));
    rmSync(at("site/example.com/b-2-linux-amd64.aci"));
    const { removed } = await publish([image("example.com/b", "1")]);
    assert.deepEqual(removed, []);
    assert.doesNotMatch(read("index.html"), /example.com\/g/);
    assert.equal(read("example.com/b-latest-linux-amd64.aci"), "example.com/b 1");
    const file = "example.com/b-1-linux-amd64.aci";
    const latest = "example.com/b-latest-linux-amd64.aci";
    const images = [file, `${file}.asc`, `${file}.html`, latest, `${latest}.asc`];
    assert.deepEqual(files(), ["b/index.html", ...images, "index.html", `keys/${one}.asc`, "site.json"]);
    assert.deepEqual(readdirSync(at("site")).sort(), ["b", "example.com", "index.html", "keys", "site.json"]);
  });

  it("SITE-5: prune leaves the images that are given, and says which went", async () => {
    const b = image("example.com/b", "1");
    await publish([image("example.com/a", "1", { signers: [two] }), b]);
    await publish([b]);
    assert.ok(existsSync(at("site/example.com/a-1-linux-amd64.aci")), "without it nothing goes");
    writeFileSync(at("site/robots.txt"), "mine");
    const { removed } = await publish([b], undefined, { prune: true });
    assert.deepEqual(removed, ["example.com/a-1-linux-amd64.aci"]);
    assert.deepEqual(
      files().filter((file) => /a-|\ba\/|2222/.test(file)),
      [],
    );
    assert.equal(read("robots.txt"), "mine");
  });

  it("SITE-5: pages move with the address of the site", async () => {
    await publish([image("example.com/x/a", "1")], "https://example.com");
    await publish([image("example.com/x/a", "1")], "https://example.com/x");
    assert.ok(!existsSync(at("site/x")));
    assert.deepEqual((await readDiscoveryTags(read("a/index.html"))).images, [
      { prefix: "example.com/x/a", url: "https://example.com/x/{name}-{version}-{os}-{arch}.{ext}" },
    ]);
  });

  it("SITE-3: what fails before the end leaves the site as it was, and nothing beside it", async () => {
    await publish([image("example.com/a", "1")]);
    const before = stamps();
    mkdirSync(at("site/example.com/b-1-linux-amd64.aci.html"));
    await assert.rejects(
      publish([image("example.com/a", "1", { content: "new" }), image("example.com/b", "1")]),
      failure("IO_FAILED", /b-1/),
    );
    assert.deepEqual(stamps(), before);
    assert.deepEqual(
      readdirSync(at("site")).filter((name) => name[0] === "."),
      [],
    );
  });

  it("SITE-3: what an interrupted publish left beside the site is taken away", async () => {
    mkdirSync(at("site/.publishing"), { recursive: true });
    writeFileSync(at("site/.publishing/7"), "half");
    await publish([image("example.com/a", "1")]);
    assert.ok(!existsSync(at("site/.publishing")));
  });

  it("SITE-4: a new version has a later time in whole seconds, so that servers that go by time and size tell them apart", async () => {
    const seconds = (file: string): number => Math.floor(statSync(at("site", file)).mtimeMs / 1000);
    const files = ["example.com/a-latest-linux-amd64.aci", "example.com/a-latest-linux-amd64.aci.asc", "a/index.html"];
    let last = files.map(() => 0);
    for (const version of ["1", "2", "3", "2"]) {
      // The last one takes 3 away again: the time of an older image must not come back.
      await publish([image("example.com/a", version)], undefined, { prune: true });
      const now = files.map(seconds);
      for (const [index, time] of now.entries()) assert.ok(time > (last[index] ?? 0), `${files[index]} of ${version}`);
      last = now;
    }
  });
});

describe("a site that belongs to somebody else (SITE-7)", () => {
  const leadsOut = failure("WRONG_STATE", /leads out of the site/);

  it("writes nothing through a link in the place of a directory", async () => {
    for (const name of ["site", "other"]) mkdirSync(at(name));
    writeFileSync(at("other/index.html"), "mine");
    symlinkSync(at("other"), at("site/example.com"));
    await assert.rejects(publish([image("example.com/web", "1")], "https://example.org"), leadsOut);
    assert.deepEqual(readdirSync(at("other")), ["index.html"]);
    assert.equal(readFileSync(at("other/index.html"), "utf8"), "mine");
  });

  it("makes nothing public that only the publisher may read", async () => {
    await publish([image("example.com/foo", "1")]);
    writeFileSync(at("secret"), "SECRET");
    rmSync(at("site/example.com/foo-1-linux-amd64.aci.asc"));
    symlinkSync(at("secret"), at("site/example.com/foo-1-linux-amd64.aci.asc"));
    const before = stamps();
    await assert.rejects(publish([image("example.com/web", "1")]), leadsOut);
    assert.deepEqual(stamps(), before);
  });

  it("removes nothing that the catalogue says is the site's and that is elsewhere", async () => {
    await publish([image("example.com/web", "1"), image("example.com/a/foo", "1")], "https://example.org");
    cpSync(at("site/example.com/a"), at("other"), { recursive: true });
    rmSync(at("site/example.com/a"), { recursive: true });
    symlinkSync(at("other"), at("site/example.com/a"));
    const before = readdirSync(at("other"));
    await assert.rejects(publish([image("example.com/web", "1")], "https://example.org", { prune: true }), leadsOut);
    assert.deepEqual(readdirSync(at("other")), before);
  });
});
