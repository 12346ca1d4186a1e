import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hasPinnedId, type Pin, requireMatch, requirePinned } from "../../src/fetch/match.ts";
import { ACIdentifier } from "../../src/schema/names.ts";
import { fails } from "../helpers/failures.ts";
import { fakeId } from "../helpers/images.ts";

const label = (name: string, value: string) => ({ name: ACIdentifier.parse(name), value });
const manifest = {
  name: ACIdentifier.parse("example.com/web"),
  labels: [label("version", "1.0"), label("os", "linux"), label("arch", "amd64")],
};
const asked = (labels: readonly ReturnType<typeof label>[], hostLabels: readonly ReturnType<typeof label>[] = []) => ({
  name: "example.com/web",
  labels,
  hostLabels,
});

describe("requireMatch (DISC-10, T-S30)", () => {
  it("takes equal labels, and any that were not asked for", () => {
    requireMatch(manifest, asked([]));
    requireMatch(manifest, asked([label("version", "1.0")], [label("os", "linux"), label("arch", "amd64")]));
  });
  it("ACI-25, A09: refuses another name", () => {
    const wanted = { ...asked([]), name: "example.com/we" };
    assert.throws(() => requireMatch(manifest, wanted), fails("NAME_MISMATCH", /says that it is example\.com\/web/));
  });
  it("refuses another value, and a label that is missing", () => {
    assert.throws(
      () => requireMatch(manifest, asked([label("version", "2.0")])),
      fails("NAME_MISMATCH", /version=2\.0 was asked for, its manifest says version=1\.0/),
    );
    assert.throws(() => requireMatch(manifest, asked([label("x", "1")])), fails("NAME_MISMATCH", /no label x/));
  });
  it("the host's own labels may be absent, not different", () => {
    requireMatch({ ...manifest, labels: [] }, asked([], [label("os", "linux"), label("arch", "amd64")]));
    assert.throws(() => requireMatch(manifest, asked([], [label("arch", "aarch64")])), fails("NAME_MISMATCH", /arch/));
    // The same label typed is asked for.
    assert.throws(
      () => requireMatch({ ...manifest, labels: [] }, asked([label("os", "linux")])),
      fails("NAME_MISMATCH"),
    );
  });
});

describe("requirePinned (ACI-47, T-D16)", () => {
  const image = { id: fakeId("base"), archive: { size: 100 }, tarSize: 1000 };
  const pin = (rest: Omit<Pin, "imageName">): Pin => ({ imageName: "example.com/base", ...rest });

  it("takes the image ID, its beginning, or none", () => {
    for (const imageID of [image.id, image.id.slice(0, 71), undefined]) requirePinned(pin({ imageID }), image, "x");
  });
  it("takes the archive's size, the tar's, or none", () => {
    for (const size of [100, 1000, undefined]) requirePinned(pin({ size }), image, "x");
  });
  it("refuses anything else", () => {
    assert.throws(
      () => requirePinned(pin({ imageID: fakeId("other") }), image, "example.com/web"),
      fails("DIGEST_MISMATCH", /is not the image that example\.com\/web depends on/, { cause: /expected sha512-/ }),
    );
    for (const size of [0, 99, 999, 1001]) {
      assert.throws(
        () => requirePinned(pin({ size }), image, "x"),
        fails("DIGEST_MISMATCH", /./, { cause: /100 \(1000/ }),
      );
    }
  });
  it("hasPinnedId compares whole beginnings", () => {
    assert.equal(hasPinnedId(pin({ imageID: fakeId("other").slice(0, 20) }), image.id), false);
    assert.equal(hasPinnedId(pin({}), image.id), true);
  });
});
