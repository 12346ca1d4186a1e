import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { perigee } from "../helpers/command.ts";
import { storedImages } from "../helpers/stored-images.ts";

describe("perigee image export", () => {
  it("prints the path, and gives what the image is as data", async (t) => {
    const { home, data, ids } = await storedImages(t);
    const output = join(home, "out.aci");
    const line = ["image", "export", "example.com/top", output];
    const first = perigee(data, ...line);
    assert.deepEqual([first.status, first.stdout], [0, `${output}\n`]);
    assert.match(first.stderr, /^wrote \S+out\.aci: [\d.]+ \S+\n$/);
    const file = perigee(data, "image", "export", output, join(home, "other.aci"));
    assert.deepEqual([file.status, /try: cp \S+ \S+other\.aci/.test(file.stderr)], [2, true]);
    const again = perigee(data, ...line);
    assert.equal(again.status, 6);
    assert.match(again.stderr, /try: .*--overwrite/);
    const { stdout } = perigee(data, ...line, "--overwrite", "--format=json");
    assert.equal(JSON.parse(stdout).id, ids.top);
  });

  it("ends with 2 and 3 for a wrong line and an unknown image, leaving nothing", async (t) => {
    const { home, data } = await storedImages(t);
    const output = join(home, "out.aci");
    assert.equal(perigee(data, "image", "export", "example.com/top").status, 2);
    assert.equal(perigee(data, "image", "export", "example.com/top", join(home, "out")).status, 2);
    assert.equal(perigee(data, "image", "export", "example.com/none", output).status, 3);
    assert.equal(existsSync(output), false);
  });

  it("--as writes what other tools take, and names what they cannot", async (t) => {
    const { home, data } = await storedImages(t);
    const output = join(home, "layout");
    const { status, stdout, stderr } = perigee(data, "image", "export", "--as=oci", "example.com/top", output);
    assert.deepEqual([status, stdout, existsSync(join(output, "oci-layout"))], [0, `${output}\n`, true]);
    assert.match(stderr, /OCI has no word for it: that it runs on every architecture/);
    const strict = ["image", "export", "--as=docker-archive", "--strict", "example.com/top", join(home, "x.tar")];
    assert.equal(perigee(data, ...strict).status, 1);
    const wrong = perigee(data, "image", "export", "--as=zip", "example.com/top", output);
    assert.deepEqual([wrong.status, /--as aci\|oci\|/.test(wrong.stderr)], [2, true]);
    assert.equal(existsSync(join(home, "x.tar")), false);
  });
});
