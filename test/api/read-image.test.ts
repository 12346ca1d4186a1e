/** What looks at an image of layers sees their files together (LAYER-4): extract, render, size, tree, diff, sbom. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { diffImages } from "../../src/api/diff-images.ts";
import { exportImage } from "../../src/api/export-image.ts";
import { fetchImages } from "../../src/api/fetch.ts";
import { imageSize } from "../../src/api/image-size.ts";
import { imageTree } from "../../src/api/image-tree.ts";
import { extractImage } from "../../src/api/images.ts";
import { renderImage } from "../../src/api/render-image.ts";
import { imageSbom } from "../../src/api/sbom.ts";
import type { Settings } from "../../src/api/settings.ts";
import { openStoreSync } from "../../src/store/layout.ts";
import { layersOf } from "../../src/store/shared-layers.ts";
import { fails } from "../helpers/failures.ts";
import { directory, file, hardlink, layer, writeLayout } from "../helpers/oci-images.ts";
import { testSettings } from "../helpers/settings.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const status = "Package: hello\nStatus: install ok installed\nVersion: 2.10\nArchitecture: amd64\n";
const lower = layer([
  ...[
    directory("./"),
    directory("etc"),
    file("etc/a", "aaaa"),
    file("etc/gone", "g".repeat(50)),
    hardlink("etc/b", "etc/a"),
  ],
  ...[directory("var"), directory("var/lib"), directory("var/lib/dpkg"), file("var/lib/dpkg/status", "")],
]);
const upper = layer([
  directory("etc"),
  file("etc/.wh.gone", ""),
  file("etc/new", "nn"),
  file("var/lib/dpkg/status", status),
]);

async function scene(context: Parameters<typeof temporaryDirectory>[0]) {
  const home = await temporaryDirectory(context);
  const plain = testSettings();
  const settings: Settings = {
    ...plain,
    directories: { ...plain.directories, data: join(home, "data") },
    insecure: new Set(["image"]),
  };
  const fetch = async (name: string, layers: readonly Buffer[]) => {
    writeLayout(join(home, name), { layers, config: { Cmd: ["/a"] }, tag: "1" });
    const [record] = await fetchImages(settings, { images: [{ reference: `oci:${join(home, name)}` }] });
    assert.ok(record !== undefined);
    return record.id;
  };
  return { home, settings, id: await fetch("two", [lower, upper]), fetch };
}

const names = ["a", "b", "new"];

describe("LAYER-4: an image of layers is looked at as its layers show it", () => {
  it("extract and render", async (context) => {
    const { home, settings, id } = await scene(context);
    const extracted = await extractImage(settings, { image: id, directory: join(home, "out") });
    assert.deepEqual([extracted.id, extracted.entries, extracted.fileBytes], [id, 9, 4 + 2 + status.length]);
    assert.deepEqual(readdirSync(join(home, "out", "rootfs", "etc")).sort(), names);
    assert.equal(JSON.parse(readFileSync(join(home, "out", "manifest"), "utf8")).name, "two");
    const rendered = await renderImage(settings, { image: id, directory: join(home, "all"), rootfsOnly: true });
    assert.deepEqual(rendered.layers, [id]);
    assert.deepEqual(readdirSync(join(home, "all", "etc")).sort(), names);
  });

  it("size, tree and sbom", async (context) => {
    const { settings, id } = await scene(context);
    const size = await imageSize(settings, { image: id });
    assert.deepEqual([size.entries, size.fileBytes], [8, 4 + 2 + status.length]);
    assert.ok(size.files.every(({ path }) => path !== "/etc/gone"));
    const tree = await imageTree(settings, { image: id, files: true });
    assert.ok(tree.files?.some(({ path }) => path.endsWith("etc/new")));
    const { packages } = await imageSbom(settings, { image: id });
    assert.deepEqual(
      packages.map(({ name, version }) => `${name} ${version}`),
      ["hello 2.10"],
    );
  });

  it("diff, also with an .aci that was made of it", async (context) => {
    const { home, settings, id, fetch } = await scene(context);
    const below = await fetch("one", [lower]);
    const difference = await diffImages(settings, { before: below, after: id });
    assert.deepEqual(
      difference.added.map(({ path }) => path),
      ["etc/new"],
    );
    assert.deepEqual(
      difference.removed.map(({ path }) => path),
      ["etc/gone"],
    );
    assert.ok(difference.changed.some(({ path }) => path === "var/lib/dpkg/status"));
    const output = join(home, "two.aci");
    const exported = await exportImage(settings, { image: id, output });
    const same = await diffImages(settings, { before: id, after: output });
    assert.deepEqual([same.added, same.removed, same.changed, same.manifest], [[], [], [], []]);
    assert.deepEqual([exported.path, exported.id === id, same.after.id], [output, false, exported.id]);
    const again = await exportImage(settings, { image: id, output: join(home, "again.aci") });
    assert.equal(again.id, exported.id);
  });

  it("a layer that is gone is told", async (context) => {
    const { home, settings, id } = await scene(context);
    const layers = layersOf(openStoreSync(settings.directories.data));
    const [first = ""] = readdirSync(layers);
    rmSync(join(layers, first), { recursive: true });
    await assert.rejects(
      extractImage(settings, { image: id, directory: join(home, "out") }),
      fails("NOT_FOUND", /layers/),
    );
    assert.deepEqual(readdirSync(home).sort(), ["data", "two"]);
  });
});
