import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { perigee } from "../helpers/command.ts";
import { storedImages } from "../helpers/stored-images.ts";

describe("perigee image size", () => {
  it("shows the largest and what the whitelist saves", async (t) => {
    const { home, data } = await storedImages(t);
    const { status, stdout } = perigee(data, "image", "size", "--top", "1", "example.com/top");
    assert.equal(status, 0);
    assert.match(stdout, /^example\.com\/top {2}3\.4 KiB in \d+ files and directories\n/);
    assert.match(stdout, /^SIZE +FILE\n2\.9 KiB +\/big\n\nSIZE +DIRECTORY\n11 B +\/bin\n/m);
    assert.match(stdout, /^whitelist of 4: 2\.9 KiB in 6 stay, 500 B SAVED\n/m);
    const list = join(home, "list");
    writeFileSync(list, "/big\n/nowhere\n");
    const tried = perigee(data, "image", "size", "--whitelist", list, "--format=json", "example.com/top");
    assert.deepEqual(JSON.parse(tried.stdout).whitelist, {
      ...{ paths: 2, keptEntries: 1, keptBytes: 3000, savedBytes: 515, unknown: ["/nowhere"] },
    });
  });

  it("ends with 2 and 3 for a wrong number and an unknown image", async (t) => {
    const { data } = await storedImages(t);
    for (const top of ["0", "-1", "x", "1e9"]) {
      const { status, stderr } = perigee(data, "image", "size", `--top=${top}`, "example.com/top");
      assert.deepEqual([status, /--top: .* is no number/.test(stderr)], [2, true]);
    }
    assert.equal(perigee(data, "image", "size", "./none.aci").status, 3);
  });
});
