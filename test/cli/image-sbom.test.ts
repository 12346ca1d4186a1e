import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { perigee } from "../helpers/command.ts";
import { describeImage, makeArchive } from "../helpers/images.ts";
import { assertCyclonedx, assertSpdx } from "../helpers/sbom.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

async function withImage(t: TestContext): Promise<{ readonly data: string; readonly file: string }> {
  const data = await temporaryDirectory(t);
  const file = join(data, "web.aci");
  const { manifest } = describeImage({ name: "example.com/web", version: "1.0" });
  const installed = "P:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\nT:a\u009b\u202eb\n\nP:broken\n\n";
  await writeFile(file, await makeArchive(manifest, [{ path: "lib/apk/db/installed", content: installed }]));
  return { data, file };
}

describe("perigee image sbom", () => {
  it("lists packages, and warns of what could not be read", async (t) => {
    const { data, file } = await withImage(t);
    const { status, stdout, stderr } = perigee(data, "image", "sbom", file);
    assert.equal(status, 0);
    assert.equal(stdout, "TYPE  NAME  VERSION   ARCH    LICENCE\napk   musl  1.2.5-r0  x86_64  MIT\n");
    assert.match(stderr, /^warning: lib\/apk\/db\/installed has an entry without a valid name and version\n$/);
  });
  it("--format json is the list as data", async (t) => {
    const { data, file } = await withImage(t);
    assert.deepEqual(JSON.parse(perigee(data, "image", "sbom", file, "--format", "json").stdout), [
      {
        type: "apk",
        name: "musl",
        version: "1.2.5-r0",
        architecture: "x86_64",
        licence: "MIT",
        purl: "pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64",
        places: ["lib/apk/db/installed"],
      },
    ]);
  });
  it("T-R47: --as is a document, the same bytes in both formats, and harmless for a terminal", async (t) => {
    const { data, file } = await withImage(t);
    for (const [kind, assertForm] of [
      ["spdx", assertSpdx],
      ["cyclonedx", assertCyclonedx],
    ] as const) {
      const text = perigee(data, "image", "sbom", "--as", kind, file).stdout;
      assertForm(JSON.parse(text));
      assert.equal(perigee(data, "image", "sbom", "--as", kind, "--format=json", file).stdout, text);
      assert.match(text, /a\\u009b\\u202eb/);
    }
  });
  it("ends with 2 for another kind or no image, 3 when there is none", async (t) => {
    const { data, file } = await withImage(t);
    const wrong = perigee(data, "image", "sbom", "--as", "list", file);
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /try: --as spdx\|cyclonedx/);
    assert.equal(perigee(data, "image", "sbom").status, 2);
    assert.equal(perigee(data, "image", "sbom", "example.com/none").status, 3);
  });
});
