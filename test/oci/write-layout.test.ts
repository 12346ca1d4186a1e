import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ratioCountsFrom } from "../../src/image/compression.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { type OutgoingImage, once } from "../../src/oci/outgoing.ts";
import { dockerArchive } from "../../src/oci/write-layout.ts";
import { readTar } from "../../src/tar/read.ts";
import { fails } from "../helpers/failures.ts";
import { type MadeBlob, makeParts, ociTypes, sha256 } from "../helpers/oci-images.ts";

const outgoing = (mediaType: string, { digest, size, bytes }: MadeBlob) => ({
  ...{ mediaType, digest: parseDigest(digest, "test"), size, bytes },
  open: () => once(bytes),
});

function imageOf(plain: Buffer): OutgoingImage {
  const made = makeParts({ layers: [plain] });
  return {
    manifest: outgoing(ociTypes.manifest, made.manifest),
    config: outgoing(ociTypes.config, made.config),
    layers: made.layers.map((layer) => outgoing(`${ociTypes.layer}+gzip`, layer)),
    diffIds: [parseDigest(sha256(plain), "test")],
    ...{ platform: { os: "linux", architecture: "amd64" }, lost: [] },
    name: { repository: "example.com/web", tag: "1" },
  };
}

describe("OCI-87: a compressed layer as docker load takes it", () => {
  it("is written however well it was compressed: the store took it", async () => {
    const plain = Buffer.alloc(ratioCountsFrom + 1024 * 1024);
    const image = imageOf(plain);
    assert.ok(plain.length / (image.layers[0]?.size ?? 0) > 200);
    const sizes = new Map<string, number>();
    for await (const { path, body } of readTar(dockerArchive(image, 0))) {
      let size = 0;
      for await (const chunk of body) size += chunk.length;
      sizes.set(path.toString(), size);
    }
    assert.equal(sizes.get(`${sha256(plain).slice(7)}.tar`), plain.length);
  });

  it("is measured no longer than it is wanted", async () => {
    const stop = new AbortController();
    const image = imageOf(Buffer.from("layer"));
    const [layer] = image.layers;
    assert.ok(layer !== undefined);
    const open = () => {
      stop.abort();
      return layer.open();
    };
    const archive = dockerArchive({ ...image, layers: [{ ...layer, open }] }, 0, { signal: stop.signal });
    const all = async () => {
      for await (const _ of archive);
    };
    await assert.rejects(all, fails("INTERRUPTED"));
  });
});
