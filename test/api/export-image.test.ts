import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { exportImage } from "../../src/api/export-image.ts";
import { blobPath } from "../../src/store/layout.ts";
import { readRecordSync } from "../../src/store/lookup.ts";
import { fails } from "../helpers/failures.ts";
import { storedImages } from "../helpers/stored-images.ts";

describe("exportImage", () => {
  it("writes the archive as it is stored, byte for byte", async (t) => {
    const { home, settings, store, ids } = await storedImages(t);
    const output = join(home, "out.aci");
    const exported = await exportImage(settings, { image: "example.com/top:2.0", output });
    const blob = await readFile(blobPath(store, readRecordSync(store, ids.top)?.archive.sha512 ?? ""));
    assert.deepEqual(await readFile(output), blob);
    assert.deepEqual(exported, { id: ids.top, name: "example.com/top", path: output, size: blob.length });
    await assert.rejects(exportImage(settings, { image: ids.base, output }), fails("ALREADY_EXISTS"));
    await exportImage(settings, { image: ids.base, output, overwrite: true });
    assert.notDeepEqual(await readFile(output), blob);
  });

  it("leaves nothing when the archive has changed, or the line is wrong", async (t) => {
    const { home, settings, store, ids, file } = await storedImages(t);
    await writeFile(blobPath(store, readRecordSync(store, ids.base)?.archive.sha512 ?? ""), "rotten");
    const output = join(home, "out.aci");
    await assert.rejects(exportImage(settings, { image: ids.base, output }), fails("DIGEST_MISMATCH"));
    await assert.rejects(exportImage(settings, { image: ids.top, output: join(home, "out") }), fails("USAGE", /ACI-1/));
    const other = await file("other.aci", { name: "example.com/a" }, []);
    await assert.rejects(exportImage(settings, { image: other, output }), fails("USAGE", /is a file/));
    await assert.rejects(exportImage(settings, { image: "example.com/none", output }), fails("NOT_FOUND"));
    assert.deepEqual((await readdir(home)).sort(), ["data", "other.aci"]);
  });

  it("OCI-85, OCI-86, OCI-87: as an OCI image, whole or not at all; the same bytes each time", async (t) => {
    const { home, settings, store, ids } = await storedImages(t);
    const kinds = ["oci", "oci-archive", "docker-archive"] as const;
    for (const as of kinds) {
      const options = { image: ids.top, as, output: join(home, as) };
      const { id, manifest, path, lost } = await exportImage(settings, options);
      assert.deepEqual([id, path], [ids.top, join(home, as)]);
      assert.match(manifest ?? "", /^sha256:[0-9a-f]{64}$/);
      assert.match(lost?.join() ?? "", /every architecture/);
      await assert.rejects(exportImage(settings, options), fails("ALREADY_EXISTS"));
      await assert.rejects(exportImage(settings, { ...options, overwrite: true, strict: true }), fails("UNSUPPORTED"));
      const again = await exportImage(settings, { ...options, overwrite: true });
      assert.equal(again.manifest, manifest);
    }
    const index = JSON.parse(await readFile(join(home, "oci", "index.json"), "utf8"));
    assert.equal(index.manifests[0].annotations["org.opencontainers.image.ref.name"], "2.0");
    await writeFile(blobPath(store, readRecordSync(store, ids.base)?.archive.sha512 ?? ""), "rotten");
    for (const as of kinds) {
      const broken = exportImage(settings, { image: ids.top, as, output: join(home, "broken") });
      await assert.rejects(broken, fails("DIGEST_MISMATCH"));
    }
    assert.deepEqual((await readdir(home)).sort(), ["data", ...kinds].sort());
  });
});
