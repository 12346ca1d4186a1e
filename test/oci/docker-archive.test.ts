import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fails } from "../helpers/failures.ts";
import { file, layer, makeParts, sha256 } from "../helpers/oci-images.ts";
import { resolveLocal } from "../helpers/oci-source.ts";
import { tar } from "../helpers/raw-tar.ts";

const work = mkdtempSync(join(tmpdir(), "perigee-docker-archive-"));
after(() => rmSync(work, { recursive: true }));

const bytes = layer([file("a")]);
const { config } = makeParts({ layers: [bytes] });
const image = (names: readonly string[], more: object = {}) => ({
  Config: "c.json",
  RepoTags: names,
  Layers: ["l.tar"],
  ...more,
});

async function resolve(manifest: unknown, tag = "") {
  const path = join(work, "a.tar");
  const members = [
    { name: "c.json", body: config.bytes },
    { name: "l.tar", body: bytes },
    { name: "manifest.json", body: JSON.stringify(manifest) },
  ];
  writeFileSync(path, tar(manifest === undefined ? members.slice(0, 2) : members));
  return await resolveLocal(`docker-archive:${path}${tag}`);
}

describe("OCI-21: archives of docker save", () => {
  it("config and layers become a manifest, the same each time", async () => {
    const one = await resolve([image(["localhost/web:2"])]);
    assert.deepEqual([one.imageName, one.tag], ["a", "2"]);
    assert.deepEqual(
      one.manifest.layers.map(({ digest, size }) => [digest, size]),
      [[sha256(bytes), bytes.length]],
    );
    assert.equal(one.manifest.config.digest, config.digest);
    assert.equal((await resolve([image(["localhost/web:2"])])).manifestDigest, one.manifestDigest);
  });
  it("of several one is named, with or without Docker's own host", async () => {
    const two = [image(["docker.io/library/web:latest"]), image(["other:1"])];
    assert.equal((await resolve(two, ":web")).imageName, "docker.io/library/web");
    await assert.rejects(resolve(two), fails("AMBIGUOUS", /several/, { hint: /NAME:TAG/ }));
    await assert.rejects(resolve(two, ":none"), fails("NOT_FOUND", /no image none/, { cause: /other:1/ }));
  });
  it("one without names is an image", async () => {
    assert.deepEqual((await resolve([image([])])).imageName, "a");
  });
  const broken: readonly (readonly [string, unknown, Parameters<typeof fails>[0]])[] = [
    ["no manifest.json", undefined, "NOT_FOUND"],
    ["no list", {}, "IMAGE_INVALID"],
    ["no image", [], "NOT_FOUND"],
    ["a config that is missing", [image(["a:1"], { Config: "../../etc/passwd" })], "IMAGE_INVALID"],
    ["a layer that is missing", [image(["a:1"], { Layers: ["../../etc/passwd"] })], "IMAGE_INVALID"],
    ["another number of layers", [image(["a:1"], { Layers: [] })], "IMAGE_INVALID"],
  ];
  for (const [why, manifest, code] of broken) {
    it(`${why} is refused`, async () => {
      await assert.rejects(resolve(manifest), fails(code));
    });
  }
});
