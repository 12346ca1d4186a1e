import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { perigee } from "../helpers/command.ts";
import { storedImages } from "../helpers/stored-images.ts";

describe("perigee image render", () => {
  it("unpacks an image with what it depends on, and prints where", async (t) => {
    const { home, data, ids } = await storedImages(t);
    const out = join(home, "out");
    const line = ["image", "render", "example.com/top", out];
    assert.deepEqual(perigee(data, ...line), {
      status: 0,
      stdout: `${out}\n`,
      stderr: `wrote ${out}: example.com/top, 3 images\n`,
    });
    assert.deepEqual(readdirSync(join(out, "rootfs")).sort(), ["big", "bin", "etc"]);
    assert.equal(perigee(data, ...line).status, 6);
    const { stdout } = perigee(data, ...line, "--overwrite", "--rootfs-only", "--format=json");
    assert.deepEqual(JSON.parse(stdout).layers, [ids.base, ids.middle, ids.base, ids.top]);
    assert.deepEqual(readdirSync(out).sort(), ["big", "bin", "etc"]);
  });

  it("ends with 2 for / and 3 for an unknown image, leaving nothing", async (t) => {
    const { home, data } = await storedImages(t);
    assert.equal(perigee(data, "image", "render", "--overwrite", "example.com/top", "/").status, 2);
    assert.equal(perigee(data, "image", "render", "example.com/none", join(home, "out")).status, 3);
    assert.deepEqual(readdirSync(home), ["data"]);
  });
});
