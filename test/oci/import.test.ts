/** Images of layouts in a store: what is stored, what is shared, and that nothing is kept of what is refused. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fetchImages } from "../../src/api/fetch.ts";
import { removeImages } from "../../src/api/images.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { chainIds } from "../../src/oci/layers.ts";
import { digestBlobPath } from "../../src/store/digest-blobs.ts";
import { sweepStore } from "../../src/store/gc.ts";
import { readManifestSync } from "../../src/store/lookup.ts";
import { viewOf } from "../../src/store/stack.ts";
import { findTree } from "../../src/store/trees.ts";
import { fails } from "../helpers/failures.ts";
import { directory, file, type ImageParts, layer, makeParts, sha256, writeLayout } from "../helpers/oci-images.ts";
import { scene } from "../helpers/oci-scene.ts";

const base = layer([directory("./"), directory("etc"), file("etc/passwd", "web:x:7:8::/:\n")]);
const upper = layer([directory("etc"), file("etc/two")]);

describe("OCI images in the store", () => {
  it("OCI-40: manifest, config and layers are kept verbatim, and the image ID follows from them", async (context) => {
    const world = await scene(context);
    const parts = { layers: [base, upper], config: { User: "web", Cmd: ["/a"] } };
    const place = world.layout(parts);
    const made = makeParts(parts);
    const record = await world.fetch(`oci:${place}`);
    assert.equal(record.oci?.manifest, made.manifest.digest);
    for (const { digest, bytes } of [made.config, ...made.layers]) {
      assert.deepEqual(readFileSync(digestBlobPath(world.store, digest)), bytes);
    }
    const manifest = JSON.parse(readManifestSync(world.store, record.id).toString("utf8"));
    assert.deepEqual([manifest.app.user, manifest.app.group], ["web", "8"]);
    assert.equal((await world.fetch(`oci:${place}`)).id, record.id);
    const tree = findTree(world.store, record.id);
    assert.ok(tree?.layers !== undefined);
    assert.equal(viewOf(tree.layers).read("etc/two", 100)?.toString(), "etc/two");
  });

  it("LAYER-1: what two images share is stored and unpacked once, however it is compressed", async (context) => {
    const world = await scene(context);
    await world.fetch(`oci:${world.layout({ layers: [base] })}`);
    const [only] = world.layers();
    await world.fetch(`oci:${world.layout({ layers: [base, upper], compress: "none" })}`);
    assert.equal(world.layers().length, 2);
    assert.ok(world.layers().includes(only ?? ""));
  });

  it("OCI-11: a layer that speaks of what is below is shared by images with the same below it, only", async (context) => {
    const world = await scene(context);
    const speaks = layer([directory("etc"), file("etc/.wh.passwd", "")]);
    const other = layer([directory("etc"), file("etc/other")]);
    for (const layers of [
      [base, speaks],
      [base, speaks, upper],
      [other, speaks],
    ]) {
      await world.fetch(`oci:${world.layout({ layers })}`);
    }
    const kinds = world.layers().map((name) => name.split("-")[0]);
    assert.deepEqual(kinds, ["chain", "chain", "layer", "layer", "layer"]);
  });

  it("OCI-11: chains are named as the specification names them", () => {
    const [a, b] = ["a", "b"].map((word) => parseDigest(sha256(word), word));
    assert.ok(a !== undefined && b !== undefined);
    assert.deepEqual(chainIds([a, b]), [a, sha256(`${a} ${b}`)]);
  });

  it("OCI-9: layers of zstd are read, too", async (context) => {
    const world = await scene(context);
    const bytes = execFileSync("zstd", ["-c"], { input: base });
    const place = world.layout({ layers: [base] });
    const entry = {
      mediaType: "application/vnd.oci.image.layer.v1.tar+zstd",
      digest: sha256(bytes),
      size: bytes.length,
    };
    const zstd = join(world.directory, "zstd");
    writeLayout(zstd, { layers: [base], manifest: { layers: [entry] } });
    writeFileSync(join(zstd, "blobs", sha256(bytes).replace(":", "/")), bytes);
    await world.fetch(`oci:${zstd}`);
    await world.fetch(`oci:${place}`);
    assert.equal(world.layers().length, 1);
  });

  it("LAYER-6: what no image and no pod has goes with the sweep", async (context) => {
    const world = await scene(context);
    const record = await world.fetch(`oci:${world.layout({ layers: [base, upper] })}`);
    await world.fetch(`oci:${world.layout({ layers: [base] })}`);
    await sweepStore(world.store, new Set());
    assert.equal(world.layers().length, 2);
    await removeImages(world.settings, { images: [record.id] });
    await sweepStore(world.store, new Set());
    assert.deepEqual(world.layers(), [`layer-sha256-${sha256(base).slice(7)}`]);
    assert.equal(world.left().filter((name) => /blobs\/oci\/..\//.test(name)).length, 2);
  });
});

describe("OCI-50: nobody vouches for an image that is not pinned", () => {
  it("it is refused before a layer is stored, and the ways out are told", async (context) => {
    const world = await scene(context, []);
    const place = world.layout({ layers: [base] });
    const digest = makeParts({ layers: [base], tag: "1" }).manifest.digest;
    const refused = fails("SIGNATURE_MISSING", /nobody vouches/, {
      hint: new RegExp(`@${digest}.*--insecure-options=image`),
    });
    await assert.rejects(world.fetch(`oci:${place}:1`), refused);
    assert.deepEqual(world.left(), []);
    const record = await world.fetch(`oci:${place}@${digest}`);
    assert.equal(record.oci?.pinned, true);
  });
  it("another digest than the one named is refused", async (context) => {
    const world = await scene(context, []);
    const place = world.layout({ layers: [base] });
    const wrong = sha256("other");
    writeFileSync(join(place, "blobs", wrong.replace(":", "/")), makeParts({ layers: [base] }).manifest.bytes);
    await assert.rejects(world.fetch(`oci:${place}@${wrong}`), fails("DIGEST_MISMATCH"));
    assert.deepEqual(world.left(), []);
  });
});

describe("T-D17, OCI-9: nothing is kept of what is refused", () => {
  const lie = (more: object): ImageParts => {
    const made = makeParts({ layers: [base] });
    const [first] = made.layers;
    return {
      layers: [base],
      manifest: {
        layers: [
          {
            mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
            digest: first?.digest,
            size: first?.size,
            ...more,
          },
        ],
      },
    };
  };
  const cases: readonly (readonly [string, ImageParts, Parameters<typeof fails>[0]])[] = [
    ["a layer of another size", lie({ size: 7 }), "DIGEST_MISMATCH"],
    ["a layer that is longer than it says", lie({ size: 1 }), "DIGEST_MISMATCH"],
    ["a layer that is not there", lie({ digest: sha256("none") }), "NOT_FOUND"],
    [
      "another diff id",
      { layers: [base], document: { rootfs: { type: "layers", diff_ids: [sha256("x")] } } },
      "DIGEST_MISMATCH",
    ],
    ["a layer that is no tar", { layers: [Buffer.from("<html>not here</html>")] }, "ARCHIVE_INVALID"],
    [
      "a layer with something behind its end",
      { layers: [Buffer.concat([base, Buffer.from("more")])] },
      "ARCHIVE_INVALID",
    ],
    ["a layer that is cut off", { layers: [base.subarray(0, 700)] }, "ARCHIVE_INVALID"],
    [
      "D07: a whiteout that escapes",
      { layers: [base, layer([directory("etc"), file("etc/.wh...", "")])] },
      "ARCHIVE_INVALID",
    ],
    ["an entry that escapes", { layers: [layer([file("../../evil")])] }, "ARCHIVE_INVALID"],
    [
      "H01: a hard link that escapes",
      { layers: [layer([{ type: "1", name: "x", link: "/etc/passwd" }])] },
      "ARCHIVE_INVALID",
    ],
    ["another platform", { layers: [base], document: { architecture: "s390x" } }, "NAME_MISMATCH"],
  ];
  for (const [why, parts, code] of cases) {
    it(why, async (context) => {
      const world = await scene(context);
      await assert.rejects(world.fetch(`oci:${world.layout(parts)}`), fails(code));
      const images = world.left().filter((name) => /^(?:index|trees|manifests|staging)\//.test(name));
      assert.deepEqual(images, []);
      await sweepStore(world.store, new Set());
      assert.deepEqual(world.left(), []);
    });
  }
  it("a bomb stops at the limits", async (context) => {
    const world = await scene(context);
    const settings = {
      ...world.settings,
      limits: async () => ({ ...(await world.settings.limits()), totalSize: 100_000 }),
    };
    const place = world.layout({ layers: [layer([file("zeros", "\0".repeat(200_000))])] });
    await assert.rejects(fetchImages(settings, { images: [{ reference: `oci:${place}` }] }), fails("LIMIT_EXCEEDED"));
  });
  it("D01: devices are left out, and told of", async (context) => {
    const world = await scene(context);
    await world.fetch(`oci:${world.layout({ layers: [layer([{ name: "mem", type: "3", major: 1, minor: 1 }])] })}`);
    assert.ok(world.heard.some((text) => /mem: character device/.test(text)));
  });
});
