import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { patchManifest } from "../../src/api/patch-manifest.ts";
import { fails } from "../helpers/failures.ts";
import { sha512 } from "../helpers/images.ts";
import { storedImages } from "../helpers/stored-images.ts";

describe("patchManifest", () => {
  it("writes a copy of a file or of a stored image, under a new ID", async (t) => {
    const { home, settings, ids, file } = await storedImages(t);
    const input = await file("in.aci", { name: "example.com/a" }, []);
    const output = join(home, "out.aci");
    const flags = { name: "example.com/b" };
    const patched = await patchManifest(settings, { image: input, output, flags, compression: "none" });
    assert.equal(patched.id, `sha512-${sha512(await readFile(output))}`);
    assert.deepEqual([patched.name, patched.path, patched.staleSignature], ["example.com/b", output, null]);
    const stored = await patchManifest(settings, { image: "example.com/base", output, flags, overwrite: true });
    assert.deepEqual([stored.from, stored.name], [ids.base, "example.com/b"]);
    assert.notEqual(stored.id, ids.base);
  });

  it("takes a file as the manifest, byte for byte", async (t) => {
    const { home, settings, file } = await storedImages(t);
    const manifest = join(home, "manifest.json");
    const text = '{ "acKind": "ImageManifest",\n "acVersion": "0.8.11", "name": "example.com/new" }\n';
    await writeFile(manifest, text);
    const image = await file("in.aci", { name: "example.com/a" }, []);
    await patchManifest(settings, { image, replace: true, manifest, compression: "none" });
    assert.ok((await readFile(image)).includes(text));
  });

  it("says that a signature beside the output is stale", async (t) => {
    const { home, settings, file } = await storedImages(t);
    const image = await file("in.aci", { name: "example.com/a" }, []);
    await writeFile(`${image}.asc`, "a signature");
    const warnings: string[] = [];
    const log = { ...settings.log, warn: (message: string) => void warnings.push(message) };
    const patched = await patchManifest(
      { ...settings, log },
      { image, replace: true, flags: { name: "example.com/b" } },
    );
    assert.equal(patched.staleSignature, `${image}.asc`);
    assert.match(warnings.join(), /in\.aci\.asc signs other bytes: perigee sign .*in\.aci/);
    assert.equal(await readFile(`${image}.asc`, "utf8"), "a signature");
    assert.deepEqual((await readdir(home)).sort(), ["data", "in.aci", "in.aci.asc"]);
  });

  it("refuses what contradicts itself, and leaves nothing", async (t) => {
    const { home, settings, file } = await storedImages(t);
    const image = await file("in.aci", { name: "example.com/a" }, []);
    const output = join(home, "out.aci");
    const flags = { name: "example.com/b" };
    for (const [options, code, text] of [
      [{ image }, "USAGE", /image to write is missing/],
      [{ image, output, replace: true }, "USAGE", /takes one image/],
      [{ image, replace: true, overwrite: true }, "USAGE", /exclude/],
      [{ image, output, flags, manifest: "x" }, "USAGE", /--manifest excludes/],
      [{ image, output: join(home, "out.tar") }, "USAGE", /ACI-1/],
      [{ image, output: image }, "ALREADY_EXISTS", /there already/],
      [{ image: "example.com/base", replace: true, flags }, "USAGE", /never change/],
      [{ image: "example.com/none", output }, "NOT_FOUND", /./],
      [{ image: "./none.aci", output }, "NOT_FOUND", /./],
      [{ image, output, manifest: join(home, "none") }, "NOT_FOUND", /./],
      [{ image, output, flags: { name: "Bad Name" } }, "MANIFEST_INVALID", /new manifest/],
      [{ image, output, flags: { user: "0" } }, "USAGE", /no app/],
    ] as const) {
      await assert.rejects(patchManifest(settings, options), fails(code, text), JSON.stringify(options));
    }
    assert.deepEqual((await readdir(home)).sort(), ["data", "in.aci"]);
  });
});
