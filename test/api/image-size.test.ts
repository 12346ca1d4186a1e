import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { imageSize } from "../../src/api/image-size.ts";
import { fails } from "../helpers/failures.ts";
import { storedImages, topWhitelist } from "../helpers/stored-images.ts";

describe("imageSize", () => {
  it("finds the largest, with what an image depends on, and what its whitelist saves", async (t) => {
    const { settings, ids } = await storedImages(t);
    const size = await imageSize(settings, { image: "example.com/top", top: 2 });
    assert.equal(size.id, ids.top);
    assert.deepEqual(size.files, [
      { path: "/big", size: 3000 },
      { path: "/unlisted", size: 500 },
    ]);
    assert.deepEqual(size.directories, [
      { path: "/bin", size: 11 },
      { path: "/etc", size: 4 },
    ]);
    assert.equal(size.fileBytes, 3000 + 500 + 4 + 7 + 4);
    assert.deepEqual(size.whitelist, {
      paths: topWhitelist.length,
      keptEntries: 6,
      keptBytes: 3000 + 4 + 7 + 4,
      savedBytes: 500,
      unknown: [],
    });
  });

  it("counts a file with several names once, and keeps it as long as one name stays", async (t) => {
    const { home, settings, file } = await storedImages(t);
    const image = await file("a.aci", { name: "example.com/a" }, [
      { path: "one", content: "x".repeat(100) },
      { path: "two", type: "link", target: "one" },
      { path: "three", content: "y".repeat(10) },
    ]);
    const whitelist = join(home, "list");
    await writeFile(whitelist, "/two\n\n/none\n");
    const size = await imageSize(settings, { image, whitelist });
    assert.equal(size.fileBytes, 110);
    const expected = { paths: 2, keptEntries: 1, keptBytes: 100, savedBytes: 10, unknown: ["/none"] };
    assert.deepEqual(size.whitelist, expected);
    assert.equal((await imageSize(settings, { image })).whitelist, null);
  });

  it("names the line of a list that is no path", async (t) => {
    const { home, settings } = await storedImages(t);
    const whitelist = join(home, "list");
    for (const line of ["bin/x", "/a/../b"]) {
      await writeFile(whitelist, `/ok\n${line}\n`);
      await assert.rejects(
        imageSize(settings, { image: "example.com/top", whitelist }),
        fails("USAGE", /list:2: .*ACI-49/),
      );
    }
    await assert.rejects(
      imageSize(settings, { image: "example.com/top", whitelist: join(home, "none") }),
      fails("NOT_FOUND", /none is not there/),
    );
  });
});
