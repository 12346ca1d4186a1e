import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mediaTypes, parseDocument } from "../../src/oci/documents.ts";
import { fails } from "../helpers/failures.ts";
import { blob, makeParts, ociTypes } from "../helpers/oci-images.ts";

const parts = makeParts({ layers: [Buffer.alloc(1024)], tag: "t" });
const manifest = JSON.parse(parts.manifest.bytes.toString("utf8"));
const index = { schemaVersion: 2, mediaType: ociTypes.index, manifests: [parts.entry] };
const parse = (document: unknown, announced?: string) =>
  parseDocument(Buffer.from(JSON.stringify(document)), "it", announced);

describe("OCI-4: indexes and manifests", () => {
  it("a manifest: config and layers in order, of OCI and of Docker", () => {
    const read = parse(manifest);
    assert.ok(read.kind === "manifest");
    assert.deepEqual(
      read.layers.map(({ digest }) => digest),
      parts.layers.map(({ digest }) => digest),
    );
    const docker = parse({
      ...{ ...manifest, mediaType: mediaTypes.dockerManifest },
      config: { ...manifest.config, mediaType: mediaTypes.dockerConfig },
    });
    assert.ok(docker.kind === "manifest" && docker.mediaType === mediaTypes.dockerManifest);
  });
  it("an index: its entries with platform and annotations, also without a media type of its own", () => {
    const platform = { os: "linux", architecture: "arm", variant: "v7" };
    const read = parse({ schemaVersion: 2, manifests: [{ ...parts.entry, platform }] }, "application/json");
    assert.ok(read.kind === "index");
    assert.deepEqual(read.entries[0]?.platform, platform);
    assert.equal(read.entries[0]?.annotations.get("org.opencontainers.image.ref.name"), "t");
  });

  const layer = manifest.layers[0];
  const broken: readonly (readonly [string, unknown, Parameters<typeof fails>[0], RegExp])[] = [
    ["both in one (CVE-2021-41190)", { ...index, layers: manifest.layers }, "IMAGE_INVALID", /not as images/],
    ["an index that is called a manifest", { ...index, mediaType: ociTypes.manifest }, "IMAGE_INVALID", /not as/],
    ["a manifest that is called an index", { ...manifest, mediaType: ociTypes.index }, "IMAGE_INVALID", /not as/],
    ["a list", [], "IMAGE_INVALID", /not as images/],
    ["no layers", { ...manifest, layers: undefined }, "IMAGE_INVALID", /not as images/],
    ["no config", { ...manifest, config: undefined }, "IMAGE_INVALID", /not as images/],
    ["schemaVersion 3", { ...manifest, schemaVersion: 3 }, "IMAGE_INVALID", /not as images/],
    ["a negative size", { ...manifest, layers: [{ ...layer, size: -1 }] }, "IMAGE_INVALID", /not as images/],
    ["a size that is text", { ...manifest, layers: [{ ...layer, size: "1" }] }, "IMAGE_INVALID", /not as images/],
    ["a broken size", { ...manifest, layers: [{ ...layer, size: 1.5 }] }, "IMAGE_INVALID", /not as images/],
    ["a huge layer", { ...manifest, layers: [{ ...layer, size: 2 ** 50 }] }, "LIMIT_EXCEEDED", /bytes/],
    ["a huge config", { ...manifest, config: { ...manifest.config, size: 2 ** 30 } }, "LIMIT_EXCEEDED", /bytes/],
    ["too many layers", { ...manifest, layers: Array(1001).fill(layer) }, "LIMIT_EXCEEDED", /1001/],
    ["an md5", { ...manifest, layers: [{ ...layer, digest: `md5:${"0".repeat(32)}` }] }, "IMAGE_INVALID", /digest/],
    ["a path as digest", { ...manifest, layers: [{ ...layer, digest: "sha256:../../x" }] }, "IMAGE_INVALID", /digest/],
    ["a foreign layer", { ...manifest, layers: [{ ...layer, urls: ["https://x"] }] }, "UNSUPPORTED", /somewhere else/],
    [
      "a layer that may not be distributed",
      { ...manifest, layers: [{ ...layer, mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar" }] },
      "UNSUPPORTED",
      /somewhere else/,
    ],
    ["an unknown layer", { ...manifest, layers: [{ ...layer, mediaType: "text/html" }] }, "UNSUPPORTED", /unknown/],
    ["an artifact", { ...manifest, config: { ...manifest.config, mediaType: "a/b" } }, "UNSUPPORTED", /artifact/],
    ["an artifact by type", { ...manifest, artifactType: "a/b" }, "UNSUPPORTED", /artifact/],
  ];
  for (const [why, document, code, text] of broken) {
    it(`${why} is refused (T-D17, OCI-5)`, () => assert.throws(() => parse(document), fails(code, text)));
  }

  it("OCI-7: the first format is refused, with the way out", () => {
    const old = fails("UNSUPPORTED", /first format/, { hint: /skopeo/ });
    assert.throws(() => parse({ schemaVersion: 1, name: "a", fsLayers: [] }), old);
    const announced = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    assert.throws(() => parse({ schemaVersion: 2 }, announced), old);
  });
  it("what is no strict JSON is refused: HTML, the same key twice, depth", () => {
    for (const text of ["<html>", '{"schemaVersion":2,"schemaVersion":2}', "[".repeat(100)]) {
      assert.throws(() => parseDocument(Buffer.from(text), "it"), fails("JSON_INVALID"), text.slice(0, 20));
    }
    assert.throws(() => parseDocument(blob(`"${"x".repeat(5_000_000)}"`).bytes, "it"), fails("LIMIT_EXCEEDED"));
  });
});
