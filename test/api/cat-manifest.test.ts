import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { showPodManifest } from "../../src/api/cat-manifest.ts";
import { preparePod } from "../../src/api/prepare.ts";
import { fails } from "../helpers/failures.ts";
import { guestWorld } from "../helpers/pod-world.ts";

const scene = guestWorld();

describe("showPodManifest", () => {
  it("POD-3: the manifest that was decided, byte for byte, by uuid, prefix and name", async () => {
    const { world, image } = scene;
    const apps = [{ image, environment: ["A=1"], args: ["x"] }];
    const { uuid } = await preparePod(world.settings, { apps, podName: "shown" });
    const bytes = await showPodManifest(world.settings, { pod: uuid });
    const manifest = JSON.parse(bytes.toString("utf8"));
    assert.deepEqual(manifest.apps[0].app.exec, ["/guest", "x"]);
    assert.deepEqual(manifest.apps[0].app.environment, [{ name: "A", value: "1" }]);
    for (const pod of [uuid.slice(0, 8), "shown"]) {
      assert.deepEqual(await showPodManifest(world.settings, { pod }), bytes);
    }
  });

  it("LIFE-22: one that is gone or no file is told, and neither waited for nor followed", async () => {
    const { world, image } = scene;
    const { uuid } = await preparePod(world.settings, { apps: [{ image }] });
    const path = join(world.data, "pods", "prepared", uuid, "manifest");
    writeFileSync(path, "x".repeat(2 * 1024 * 1024));
    await assert.rejects(
      showPodManifest(world.settings, { pod: uuid }),
      fails("WRONG_STATE", /./, { cause: /too large/ }),
    );
    rmSync(path);
    await assert.rejects(
      showPodManifest(world.settings, { pod: uuid }),
      fails("WRONG_STATE", /./, { cause: /missing/ }),
    );
    await assert.rejects(showPodManifest(world.settings, { pod: "nobody" }), fails("NOT_FOUND"));
  });
});
