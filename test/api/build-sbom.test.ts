import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { buildImage } from "../../src/api/build.ts";
import { withLink } from "../../src/api/build-sbom.ts";
import { showImage } from "../../src/api/images.ts";
import { imageSbom } from "../../src/api/sbom.ts";
import { sha512 } from "../../src/base/digest.ts";
import { fails } from "../helpers/failures.ts";
import { assertCyclonedx, assertSpdx } from "../helpers/sbom.ts";
import { testSettings } from "../helpers/settings.ts";
import "../helpers/shim.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const manifest = {
  acKind: "ImageManifest",
  acVersion: "0.8.11",
  name: "example.com/web",
  annotations: [{ name: "note", value: "x" }],
};

async function scene(t: TestContext) {
  const home = await temporaryDirectory(t);
  const directory = join(home, "web");
  await mkdir(join(directory, "rootfs/var/lib/dpkg"), { recursive: true });
  await writeFile(join(directory, "manifest"), JSON.stringify(manifest));
  await writeFile(join(directory, "rootfs/var/lib/dpkg/status"), "Package: a\nVersion: 1:1+b1\nArchitecture: amd64\n");
  return { home, directory, output: join(home, "web.aci") };
}

describe("build with a bill of materials (SBOM-7)", () => {
  it("stores it beside the image, and the manifest has its digest", async (t) => {
    const { directory, output, home } = await scene(t);
    for (const [kind, suffix, assertForm] of [
      ["spdx", "spdx", assertSpdx],
      ["cyclonedx", "cdx", assertCyclonedx],
    ] as const) {
      const built = await buildImage(testSettings(), { directory, output, sbom: kind, overwrite: true });
      const bytes = await readFile(`${output}.${suffix}.json`);
      assert.deepEqual(built.sbom, { kind, path: `${output}.${suffix}.json`, sha512: sha512(bytes) });
      const stored = JSON.parse(String(await showImage(testSettings(), { image: output })));
      assert.deepEqual(stored.annotations, [
        { name: "note", value: "x" },
        { name: `perigee/sbom-${kind}`, value: `sha512-${sha512(bytes)}` },
      ]);
      assertForm(JSON.parse(String(bytes)));
      assert.match(String(bytes), /pkg:deb\/debian\/a@1:1%2Bb1\?arch=amd64/);
      const shown = await imageSbom(testSettings(), { image: directory });
      assert.equal(shown.document(kind), String(bytes));
    }
    assert.deepEqual((await readdir(home)).sort(), ["web", "web.aci", "web.aci.cdx.json", "web.aci.spdx.json"]);
  });
  it("same input, same bytes; also from a manifest that has an old link", async (t) => {
    const { directory, output } = await scene(t);
    const first = await buildImage(testSettings(), { directory, output, sbom: "spdx" });
    const linked = await showImage(testSettings(), { image: output });
    await writeFile(join(directory, "manifest"), linked);
    const second = await buildImage(testSettings(), { directory, output, sbom: "spdx", overwrite: true });
    assert.equal(second.id, first.id);
    assert.equal(second.sbom?.sha512, first.sbom?.sha512);
  });
  it("is both files or neither", async (t) => {
    const { directory, output, home } = await scene(t);
    await writeFile(`${output}.spdx.json`, "mine");
    await assert.rejects(
      buildImage(testSettings(), { directory, output, sbom: "spdx" }),
      fails("ALREADY_EXISTS", /spdx/),
    );
    await writeFile(output, "mine");
    await assert.rejects(buildImage(testSettings(), { directory, output, sbom: "cyclonedx" }), fails("ALREADY_EXISTS"));
    const signal = AbortSignal.abort();
    await assert.rejects(
      buildImage(testSettings(), { directory, output, sbom: "cyclonedx", overwrite: true, signal }),
      fails("INTERRUPTED"),
    );
    await writeFile(join(directory, "manifest"), '{"acKind": "ImageManifest"}');
    await assert.rejects(
      buildImage(testSettings(), { directory, output, sbom: "cyclonedx", overwrite: true }),
      fails("MANIFEST_INVALID", /./, { hint: /spec\/image\.md/ }),
    );
    assert.deepEqual((await readdir(home)).sort(), ["web", "web.aci", "web.aci.spdx.json"]);
    assert.equal(String(await readFile(`${output}.spdx.json`)), "mine");
  });
  it("leaves what is no manifest to the schema", () => {
    for (const text of ["[]", "1", '{"annotations": 1}']) {
      assert.equal(String(withLink(Buffer.from(text), "m", "spdx", "a")), text);
    }
    const linked = JSON.parse(String(withLink(Buffer.from('{"annotations": null, "z": 1}'), "m", "spdx", "a")));
    assert.deepEqual(linked, { annotations: [{ name: "perigee/sbom-spdx", value: "sha512-a" }], z: 1 });
  });
});
