import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { openStore } from "../../src/store/layout.ts";
import { perigee } from "../helpers/command.ts";
import { importImage, makeArchive } from "../helpers/images.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

async function withImages(t: TestContext): Promise<string> {
  const data = await temporaryDirectory(t);
  const store = await openStore(data);
  await importImage(store, { name: "example.com/web", version: "1.0" });
  await importImage(store, {
    name: "example.com/odd",
    labels: [{ name: "note", value: "a\u001b[2Jb\u202ec\u009bd é" }],
  });
  return data;
}

describe("perigee image cat-manifest", () => {
  it("prints the manifest indented, or on one line", async (t) => {
    const data = await withImages(t);
    const pretty = perigee(data, "image", "cat-manifest", "example.com/web:1.0");
    assert.equal(pretty.status, 0);
    assert.match(pretty.stdout, /^\{\n {2}"acKind": "ImageManifest",\n/);
    assert.match(pretty.stderr, /^the manifest of example\.com\/web:1\.0: \d+ B\n$/);
    const plain = perigee(data, "image", "cat-manifest", "--pretty-print=false", "example.com/web");
    assert.equal(plain.stdout.split("\n").length, 2);
    assert.deepEqual(JSON.parse(plain.stdout), JSON.parse(pretty.stdout));
    const json = perigee(data, "image", "cat-manifest", "--format=json", "example.com/web");
    assert.deepEqual(JSON.parse(json.stdout), JSON.parse(pretty.stdout));
  });

  it("T-R47: writes what would repaint the terminal the JSON way", async (t) => {
    const { stdout } = perigee(await withImages(t), "image", "cat-manifest", "example.com/odd");
    assert.match(stdout, /"a\\u001b\[2Jb\\u202ec\\u009bd é"/);
    assert.equal(JSON.parse(stdout).labels[0].value, "a\u001b[2Jb\u202ec\u009bd é");
  });

  it("reads an .aci that is not stored", async (t) => {
    const data = await withImages(t);
    const manifest = Buffer.from('{"acKind":"ImageManifest","acVersion":"0.8.11","name":"example.com/file"}');
    await writeFile(join(data, "file.aci"), await makeArchive(manifest, []));
    const { stdout } = perigee(data, "image", "cat-manifest", join(data, "file.aci"));
    assert.equal(JSON.parse(stdout).name, "example.com/file");
  });

  it("ends with 3 when there is no such image, 1 for a file that is no image, 2 without an argument", async (t) => {
    const data = await withImages(t);
    const none = perigee(data, "image", "cat-manifest", "example.com/none");
    assert.equal(none.status, 3);
    assert.match(none.stderr, /^error\[NOT_FOUND\]: .*example\.com\/none\n(.*\n)* {2}try: perigee /);
    await writeFile(join(data, "bad.aci"), "no archive");
    assert.equal(perigee(data, "image", "cat-manifest", join(data, "bad.aci")).status, 1);
    assert.equal(perigee(data, "image", "cat-manifest").status, 2);
  });
});
