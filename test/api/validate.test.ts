import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { validateImages } from "../../src/api/validate.ts";
import { fails } from "../helpers/failures.ts";
import { makeLayout } from "../helpers/image-tree.ts";
import { testSettings } from "../helpers/settings.ts";
import { minimalManifest, tarBytes } from "../helpers/tar-bytes.ts";
import { makeTemporary } from "../helpers/temporary.ts";

let temporary: Awaited<ReturnType<typeof makeTemporary>>;
const at = (name: string) => join(temporary.path, name);

async function validate(name: string, bytes?: string | Uint8Array) {
  if (bytes !== undefined) await writeFile(at(name), bytes);
  const [verdict] = await validateImages(testSettings(), { files: [at(name)] });
  return verdict;
}

before(async () => {
  temporary = await makeTemporary();
  await mkdir(at("layout"));
  makeLayout(at("layout"));
});
after(() => temporary.remove());

describe("validateImages: tells by looking, and names what is right", () => {
  it("an image, whatever it is called", async () => {
    const verdict = await validate("image", gzipSync(tarBytes({ members: [] })));
    assert.deepEqual([verdict?.type, verdict?.name, verdict?.failure], ["appimage", "example.com/a", undefined]);
    assert.match(verdict?.id ?? "", /^sha512-/);
  });
  it("an image without compression", async () => {
    assert.equal((await validate("plain.aci", tarBytes({ members: [] })))?.type, "appimage");
  });
  it("an image that actool built", async () => {
    execFileSync("actool", ["build", at("layout"), at("actool.aci")]);
    const verdict = await validate("actool.aci");
    assert.deepEqual([verdict?.name, verdict?.failure], ["example.com/everything", undefined]);
  });
  it("a layout", async () => {
    const verdict = await validate("layout");
    assert.deepEqual([verdict?.type, verdict?.name, verdict?.failure], ["layout", "example.com/everything", undefined]);
  });
  it("an image manifest", async () => {
    const verdict = await validate("manifest", `\n  ${minimalManifest}`);
    assert.deepEqual([verdict?.type, verdict?.name], ["manifest", "example.com/a"]);
  });
  it("POD-4: a pod manifest", async () => {
    const verdict = await validate("pod", '{"acKind": "PodManifest", "acVersion": "0.8.11"}');
    assert.deepEqual([verdict?.type, verdict?.name, verdict?.failure], ["manifest", undefined, undefined]);
  });
});

describe("validateImages: what is wrong is the verdict", () => {
  const cases: readonly (readonly [string, string | Uint8Array, string, Parameters<typeof fails>])[] = [
    [
      "a manifest that breaks a rule",
      '{"acKind": "ImageManifest"}',
      "manifest",
      ["MANIFEST_INVALID", /2 rules/, { cause: /acVersion/ }],
    ],
    ["A06: a byte order mark", "\ufeff{}", "manifest", ["JSON_INVALID", /byte order mark/]],
    ["A06: UTF-16", Buffer.from("\ufeff{}", "utf16le"), "manifest", ["JSON_INVALID", /byte order mark/]],
    ["a pod that breaks a rule", '{"acKind": "PodManifest"}', "manifest", ["MANIFEST_INVALID", /rule/]],
    ["text", "hello", "appimage", ["ARCHIVE_INVALID", /^this is not an image/]],
    ["a long text", "hello\n".repeat(200), "appimage", ["ARCHIVE_INVALID", /^this is not an image/]],
    ["nothing", "", "appimage", ["ARCHIVE_INVALID", /empty/]],
    [
      "an image without rootfs",
      tarBytes({ members: [{ name: "manifest" }], bare: true }),
      "appimage",
      ["IMAGE_INVALID", /rootfs/],
    ],
    ["an image of xz that is cut off", Buffer.from("fd377a585a0000", "hex"), "appimage", ["ARCHIVE_INVALID", /xz/]],
  ];
  for (const [why, bytes, type, expected] of cases) {
    it(why, async () => {
      const verdict = await validate("wrong", bytes);
      assert.equal(verdict?.type, type);
      assert.ok(fails(...expected)(verdict?.failure), String(verdict?.failure));
    });
  }
  it("a file that is not there", async () => {
    const verdict = await validate("missing");
    assert.equal(verdict?.type, undefined);
    assert.ok(fails("NOT_FOUND", /missing/)(verdict?.failure));
  });
  it("the type that was asked for counts", async () => {
    await writeFile(at("manifest"), minimalManifest);
    const [verdict] = await validateImages(testSettings(), { files: [at("manifest")], type: "appimage" });
    assert.equal(verdict?.failure?.code, "ARCHIVE_INVALID");
  });
  it("one bad file does not hide the next", async () => {
    await writeFile(at("manifest"), minimalManifest);
    const verdicts = await validateImages(testSettings(), { files: [at("missing"), at("manifest")] });
    assert.deepEqual(
      verdicts.map(({ failure }) => failure?.code),
      ["NOT_FOUND", undefined],
    );
  });
  it("an interruption is no verdict", async () => {
    await writeFile(at("image"), tarBytes({ members: [] }));
    const signal = AbortSignal.abort();
    await assert.rejects(validateImages(testSettings(), { files: [at("image")], signal }), fails("INTERRUPTED"));
  });
});
