import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { wroteFile, wroteTree } from "../../src/cli/summary.ts";

describe("what was written (CLI-4)", () => {
  it("a file with its size", () =>
    assert.equal(wroteFile({ path: "a\nb.aci", size: 2048 }), "wrote a\\x0ab.aci: 2.0 KiB"));
  it("a tree with what is known of it", () => {
    const tree = { directory: "/srv/web", name: "example.com/web" };
    assert.equal(wroteTree({ ...tree, entries: 12, fileBytes: 0 }), "wrote /srv/web: example.com/web, 12 entries, 0 B");
    assert.equal(wroteTree({ ...tree, images: 1 }), "wrote /srv/web: example.com/web, one image");
    assert.equal(wroteTree({ ...tree, images: 3 }), "wrote /srv/web: example.com/web, 3 images");
  });
});
