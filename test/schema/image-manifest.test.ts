import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ACVersion, acVersion, ImageManifest } from "../../src/schema/image-manifest.ts";

const smallest = { acKind: "ImageManifest", acVersion, name: "example.com/a" };

describe("ImageManifest (ACI-20…52)", () => {
  it("has a list for every list that is absent", () => {
    const { labels, annotations, dependencies, pathWhitelist, app } = ImageManifest.parse(smallest);
    assert.deepEqual([labels, annotations, dependencies, pathWhitelist], [[], [], [], []]);
    assert.equal(app, undefined);
  });
  it("ACI-45: an empty image ID of a dependency is none", () => {
    const { dependencies } = ImageManifest.parse({ ...smallest, dependencies: [{ imageName: "a", imageID: "" }] });
    assert.deepEqual(dependencies, [{ imageName: "a", imageID: undefined, labels: [] }]);
  });
  it("ACI-45: dependencies keep their order", () => {
    const dependencies = ["b", "a", "c"].map((imageName) => ({ imageName }));
    assert.deepEqual(
      ImageManifest.parse({ ...smallest, dependencies }).dependencies.map(({ imageName }) => imageName),
      ["b", "a", "c"],
    );
  });
  it("ACI-22: the version that we write is one", () => assert.ok(ACVersion.safeParse(acVersion).success));
  it("T-R46: a prototype in the document changes nothing", () => {
    const parsed = ImageManifest.parse({
      ...smallest,
      app: { user: "0", group: "0", userLabels: { constructor: "x" } },
    });
    assert.deepEqual({ ...parsed.app?.userLabels }, { constructor: "x" });
    assert.equal(Object.getOwnPropertyDescriptor(Object.prototype, "polluted"), undefined);
  });
});
