import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { verdictStatus, verifyStoredImages } from "../../src/api/verify-images.ts";
import { silentLog } from "../../src/base/log.ts";
import { openPods } from "../../src/pod/pod.ts";
import { writePodRecord } from "../../src/pod/record.ts";
import { blobPath } from "../../src/store/layout.ts";
import { readRecordSync } from "../../src/store/lookup.ts";
import { ensureTree } from "../../src/store/trees.ts";
import { fails } from "../helpers/failures.ts";
import { storedImages } from "../helpers/stored-images.ts";

const uuid = "6f3a1c52-2b9e-4d0c-9f57-0a6f6a3b7c11";

describe("verifyStoredImages", () => {
  it("gives a verdict for each: whole, mended, damaged", async (t) => {
    const { settings, store, ids, add } = await storedImages(t);
    const { rootfs } = await ensureTree(store, ids.base, { log: silentLog });
    await writeFile(join(rootfs, "bin/base"), "changed");
    const alone = await add({ name: "example.com/alone" }, [{ path: "x" }]);
    await writeFile(blobPath(store, readRecordSync(store, ids.middle)?.archive.sha512 ?? ""), "rotten");
    const verdicts = await verifyStoredImages(settings, { images: [alone, "example.com/base", "example.com/middle"] });
    assert.deepEqual(
      verdicts.map(({ name, verdict, failure }) => [name, verdict?.tree ?? failure?.code]),
      [
        ["example.com/alone", "same"],
        ["example.com/base", "repaired"],
        ["example.com/middle", "DIGEST_MISMATCH"],
      ],
    );
    assert.equal(verdictStatus(verdicts), 5);
    assert.equal(verdictStatus(verdicts.slice(0, 2)), 0);
  });

  it("leaves a tree on demand, and one that a pod uses", async (t) => {
    const { settings, store, ids } = await storedImages(t);
    const { rootfs, id: treeId } = await ensureTree(store, ids.base, { log: silentLog });
    await writeFile(join(rootfs, "bin/base"), "changed");
    const left = await verifyStoredImages(settings, { images: [ids.base], repair: false });
    assert.deepEqual([left[0]?.verdict?.tree, verdictStatus(left)], ["differs", 5]);
    const directory = join(openPods(settings.directories.data), "run", uuid);
    await mkdir(directory, { recursive: true });
    writePodRecord(directory, {
      ...{ uuid, createdAt: "2026-01-01T00:00:00Z", network: "none", hostname: "pod", cgroups: [] },
      apps: [{ name: "app", imageId: ids.base, imageName: "example.com/base", treeId }],
    });
    const used = await verifyStoredImages(settings, { images: [ids.base] });
    assert.deepEqual([used[0]?.verdict?.tree, used[0]?.verdict?.usedBy, verdictStatus(used)], ["differs", [uuid], 6]);
  });

  it("looks at the others when one is not stored, which is part of the result; a failure when none is", async (t) => {
    const { settings } = await storedImages(t);
    const images = ["example.com/base", "example.com/none", "example.com/middle"];
    const verdicts = await verifyStoredImages(settings, { images });
    assert.deepEqual(
      verdicts.map(({ image, name, verdict, failure }) => [image, name, verdict?.tree ?? failure?.code]),
      [
        ["example.com/base", "example.com/base", "same"],
        ["example.com/none", undefined, "NOT_FOUND"],
        ["example.com/middle", "example.com/middle", "not rendered"],
      ],
    );
    assert.equal(verdictStatus(verdicts), 3);
    await assert.rejects(verifyStoredImages(settings, { images: ["example.com/none"] }), fails("NOT_FOUND"));
  });
});
