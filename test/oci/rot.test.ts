/** Images of layers that rot in the store: it is noticed, told, and replaced, and nothing of them is lost with a record. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkStore } from "../../src/api/check-store.ts";
import { withOutgoing } from "../../src/api/export-oci.ts";
import { removeImages } from "../../src/api/images.ts";
import { verifyStoredImages } from "../../src/api/verify-images.ts";
import { digestBlobPath } from "../../src/store/digest-blobs.ts";
import { sweepStore } from "../../src/store/gc.ts";
import { blobPath, manifestPath, recordPath, treePath } from "../../src/store/layout.ts";
import { listRecordsSync, readRecordSync } from "../../src/store/lookup.ts";
import type { StoredRecord } from "../../src/store/records.ts";
import { layersOf } from "../../src/store/shared-layers.ts";
import { findTree } from "../../src/store/trees.ts";
import { fails } from "../helpers/failures.ts";
import { directory, file, layer } from "../helpers/oci-images.ts";
import { type Scene, scene } from "../helpers/oci-scene.ts";

const base = layer([directory("./"), directory("etc"), file("etc/passwd", "web:x:7:8::/:\n"), file("etc/gone")]);
const upper = layer([directory("etc"), file("etc/two"), file("etc/.wh.gone", "")]);

const layerBlob = ({ oci }: Pick<StoredRecord, "oci">, index = 0): string => oci?.layers[index]?.digest ?? "";

/** Other bytes of the same length. */
function spoil(path: string): Buffer {
  const bytes = readFileSync(path);
  writeFileSync(path, Buffer.concat([bytes.subarray(0, -1), Buffer.from([(bytes.at(-1) ?? 0) ^ 1])]));
  return bytes;
}

async function verdictOf(world: Scene, id: string, repair = true) {
  const [verdict] = await verifyStoredImages(world.settings, { images: [id], repair });
  assert.ok(verdict !== undefined);
  return verdict;
}

function layerFile(world: Scene, kind: "layer" | "chain", path: string): string {
  const name = world.layers().find((one) => one.split("-")[0] === kind);
  assert.ok(name !== undefined);
  return join(layersOf(world.store), name, "rootfs", path);
}

describe("LAYER-5: images of layers are verified", () => {
  it("one that is as it was stored, whiteouts included", async (context) => {
    const world = await scene(context);
    const record = await world.fetch(`oci:${world.layout({ layers: [base, upper] })}`);
    assert.equal((await verdictOf(world, record.id)).verdict?.tree, "same");
    assert.deepEqual((await checkStore(world.settings)).findings, []);
  });

  it("LAYER-7: a blob that rotted is found, taken away, and brought by the next fetch", async (context) => {
    const world = await scene(context);
    const place = world.layout({ layers: [base] });
    const record = await world.fetch(`oci:${place}`);
    const path = digestBlobPath(world.store, layerBlob(record));
    const bytes = spoil(path);
    const found = await verdictOf(world, record.id, false);
    assert.equal(found.failure?.code, "DIGEST_MISMATCH");
    assert.match(found.failure?.hint ?? "", /image verify.*perigee fetch oci:/);
    const { findings } = await checkStore(world.settings, { repair: false });
    assert.ok(findings.some(({ kind, id }) => kind === "archive" && id === record.id));
    assert.ok(existsSync(path), "without repair nothing is changed");
    assert.equal((await verdictOf(world, record.id)).failure?.code, "DIGEST_MISMATCH");
    assert.equal((await verdictOf(world, record.id)).failure?.code, "NOT_FOUND");
    await world.fetch(`oci:${place}`);
    assert.deepEqual(readFileSync(path), bytes);
    assert.equal((await verdictOf(world, record.id)).verdict?.tree, "same");
  });

  it("OCI-96: a manifest that rotted does not leave the store, and the way out that is named mends it", async (context) => {
    const world = await scene(context);
    const place = world.layout({ layers: [base] });
    const record = await world.fetch(`oci:${place}`);
    const path = blobPath(world.store, record.archive.sha512);
    const bytes = spoil(path);
    const leaving = () =>
      withOutgoing(world.settings, { image: record.id }, { blobs: "", compression: "none" }, async ({ layers }) => {
        for (const layer of layers) for await (const _ of layer.open());
      });
    const refused = fails("DIGEST_MISMATCH", /another digest/, {
      hint: /image verify sha512-.*, then perigee fetch oci:/,
    });
    await assert.rejects(leaving, refused);
    await world.fetch(`oci:${place}`);
    assert.deepEqual(readFileSync(path), bytes);
    await leaving();
    spoil(digestBlobPath(world.store, layerBlob(record)));
    await assert.rejects(leaving, refused);
  });

  const wrong: readonly (readonly [string, (world: Scene, id: string) => void])[] = [
    ["a file with other content", (world) => writeFileSync(layerFile(world, "layer", "etc/passwd"), "evil")],
    ["a file with another mode", (world) => chmodSync(layerFile(world, "layer", "etc/passwd"), 0o4755)],
    ["a file that nobody put there", (world) => writeFileSync(layerFile(world, "chain", "etc/more"), "")],
    ["a whiteout that is gone", (world) => rmSync(layerFile(world, "chain", "etc/gone"))],
    ["a layer that is gone", (world) => rmSync(layerFile(world, "layer", ".."), { recursive: true })],
    ["names of layers that are gone", (world, id) => rmSync(join(treePath(world.store, id), "layers"))],
    ["a file on top of the layers", (world, id) => writeFileSync(join(treePath(world.store, id), "rootfs/x"), "")],
  ];
  for (const [why, spoilTree] of wrong) {
    it(`LAYER-7: ${why} is noticed, and made anew from the blobs`, async (context) => {
      const world = await scene(context);
      const record = await world.fetch(`oci:${world.layout({ layers: [base, upper] })}`);
      spoilTree(world, record.id);
      const found = (await verdictOf(world, record.id, false)).verdict;
      assert.equal(found?.tree, "differs");
      assert.ok((found?.differenceCount ?? 0) > 0);
      assert.equal((await verdictOf(world, record.id)).verdict?.tree, "repaired");
      assert.equal((await verdictOf(world, record.id)).verdict?.tree, "same");
      assert.ok(findTree(world.store, record.id)?.layers !== undefined);
    });
  }
});

describe("LAYER-8: what an image alone has goes with it", () => {
  it("so that fetching it again brings all of it anew", async (context) => {
    const world = await scene(context);
    const place = world.layout({ layers: [base, upper] });
    const record = await world.fetch(`oci:${place}`);
    spoil(digestBlobPath(world.store, layerBlob(record)));
    writeFileSync(layerFile(world, "layer", "etc/passwd"), "evil");
    await removeImages(world.settings, { images: [record.id] });
    assert.deepEqual(world.left(), []);
    await world.fetch(`oci:${place}`);
    assert.equal((await verdictOf(world, record.id)).verdict?.tree, "same");
  });

  it("and what another image has, too, stays", async (context) => {
    const world = await scene(context);
    const other = await world.fetch(`oci:${world.layout({ layers: [base] })}`);
    const record = await world.fetch(`oci:${world.layout({ layers: [base, upper] })}`);
    await removeImages(world.settings, { images: [record.id] });
    assert.equal(world.layers().length, 1);
    assert.equal((await verdictOf(world, other.id)).verdict?.tree, "same");
  });

  it("a blob that rotted is replaced when its layer is unpacked anew", async (context) => {
    const world = await scene(context);
    const place = world.layout({ layers: [base] });
    const record = await world.fetch(`oci:${place}`);
    const bytes = spoil(digestBlobPath(world.store, layerBlob(record)));
    rmSync(layerFile(world, "layer", ".."), { recursive: true });
    rmSync(treePath(world.store, record.id), { recursive: true });
    await world.fetch(`oci:${place}`);
    assert.deepEqual(readFileSync(digestBlobPath(world.store, layerBlob(record))), bytes);
    assert.equal((await verdictOf(world, record.id)).verdict?.tree, "same");
  });
});

describe("LAYER-9: a record that is torn", () => {
  for (const how of ["gc", "store check --repair"]) {
    it(`is made anew by ${how} from the image manifest and the OCI manifest; nobody vouches for the image then`, async (context) => {
      const world = await scene(context, []);
      const place = world.layout({ layers: [base, upper], config: { Entrypoint: ["/a"], Cmd: ["b"] } });
      const digest = JSON.parse(readFileSync(join(place, "index.json"), "utf8")).manifests[0].digest;
      const record = await world.fetch(`oci:${place}@${digest}`);
      const whole = readRecordSync(world.store, record.id);
      assert.ok(whole?.oci !== undefined);
      writeFileSync(recordPath(world.store, record.id), "torn");
      if (how === "gc") await sweepStore(world.store, new Set(), { log: world.settings.log });
      else await checkStore(world.settings, { repair: true });
      const mended = readRecordSync(world.store, record.id);
      const source = "the manifest in the store";
      // What it was asked for as stood in the record only.
      const expected = {
        ...whole,
        latest: false,
        importedAt: mended?.importedAt,
        source,
        oci: { ...whole.oci, pinned: false },
      };
      assert.deepEqual(mended, expected);
      assert.ok(
        world.heard.some((text) => /mended.*unsigned/.test(text)),
        world.heard.join(),
      );
      assert.ok(!world.heard.some((text) => /archive of the store is broken/.test(text)), world.heard.join());
      assert.equal((await verdictOf(world, record.id)).verdict?.tree, "same");
      // OCI-96: where it was nobody knows any more.
      spoil(digestBlobPath(world.store, layerBlob(record)));
      assert.match(
        (await verdictOf(world, record.id)).failure?.hint ?? "",
        /^perigee image rm sha512-\w+, then fetch it/,
      );
    });
  }

  it("is removed when the image manifest is gone too, and this is told", async (context) => {
    const world = await scene(context);
    const record = await world.fetch(`oci:${world.layout({ layers: [base] })}`);
    writeFileSync(recordPath(world.store, record.id), "torn");
    rmSync(manifestPath(world.store, record.id));
    await sweepStore(world.store, new Set(), { log: world.settings.log });
    assert.deepEqual(listRecordsSync(world.store), []);
    assert.ok(world.heard.some((text) => /what it was made of is not there/.test(text)));
    assert.deepEqual(world.left(), []);
  });

  it("that is gone is found by store check, and listed again", async (context) => {
    const world = await scene(context);
    const record = await world.fetch(`oci:${world.layout({ layers: [base] })}`);
    rmSync(recordPath(world.store, record.id));
    const { findings } = await checkStore(world.settings, { repair: true });
    assert.ok(findings.some(({ kind, outcome }) => kind === "archive" && outcome === "repaired"));
    assert.equal(readRecordSync(world.store, record.id)?.oci?.layers.length, 1);
  });

  it("an image manifest that is broken says where it is made anew", async (context) => {
    const world = await scene(context);
    const place = world.layout({ layers: [base] });
    const record = await world.fetch(`oci:${place}`);
    writeFileSync(manifestPath(world.store, record.id), "{}");
    await sweepStore(world.store, new Set(), { log: world.settings.log });
    assert.ok(
      world.heard.some((text) => /manifest of .* is broken: perigee fetch oci:/.test(text)),
      world.heard.join(),
    );
    await world.fetch(`oci:${place}`);
    assert.equal((await verdictOf(world, record.id)).verdict?.tree, "same");
  });
});
