import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { perigee } from "../helpers/command.ts";
import { storedImages } from "../helpers/stored-images.ts";

describe("perigee image diff", () => {
  it("says what differs and why, and ends with 0", async (t) => {
    const { data, file } = await storedImages(t);
    const after = await file("new.aci", { name: "example.com/base", version: "2" }, [
      { path: "bin", type: "directory" },
      { path: "bin/base", content: "based", mode: 0o755 },
      { path: "bin/new", content: "new" },
    ]);
    const { status, stdout } = perigee(data, "image", "diff", "example.com/base", after);
    assert.equal(status, 0);
    assert.match(stdout, /^- example\.com\/base sha512-\w{12}\n\+ example\.com\/base sha512-\w{12}\n/);
    assert.match(stdout, /^manifest:\n {2}~ labels\[version\]\.value: "1" → "2"\n/m);
    assert.match(stdout, /^files: 1 added, 2 removed, 1 changed\n/m);
    assert.match(stdout, /^ {2}~ bin\/base {2}mode 0644 → 0755, content \(4 B → 5 B\), hard links\n/m);
    assert.match(stdout, /^ {2}\+ bin\/new {2}file, 3 B\n {2}- bin\/shared {2}file, 7 B\n {2}- bin\/twin /m);
    assert.match(stdout, /^ {2}files: 11 B → 8 B\n {2}entries: 5 → 4\n/m);
    const { manifest } = JSON.parse(perigee(data, "image", "diff", "--format=json", "example.com/base", after).stdout);
    assert.deepEqual(manifest, [{ field: "labels[version].value", before: "1", after: "2" }]);
  });

  it("has one line for the same image", async (t) => {
    const { data, ids } = await storedImages(t);
    const { status, stdout } = perigee(data, "image", "diff", "example.com/top", ids.top);
    assert.equal(status, 0);
    assert.equal(stdout, `the same image: example.com/top ${ids.top.slice(0, 19)}\n`);
  });

  it("ends with 2 and 3 for a wrong line and an unknown image", async (t) => {
    const { data } = await storedImages(t);
    assert.equal(perigee(data, "image", "diff", "example.com/top").status, 2);
    assert.equal(perigee(data, "image", "diff", "example.com/top", "example.com/none").status, 3);
  });
});
