import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fetchAgain, lostSource, verifyAndFetchAgain } from "../../src/store/fetch-again.ts";
import { fakeId } from "../helpers/images.ts";

const id = fakeId("web");
const short = id.slice(0, 19);
const manifest = `sha256:${"a".repeat(64)}`;
const oci = {
  ...{ manifest, mediaType: "", config: { digest: manifest, size: 1 }, layers: [], entrypoint: 0 },
  pinned: false,
};

describe("OCI-96: what rotted is brought by", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["docker://r.example.com/team/web:1", `perigee fetch docker://r.example.com/team/web:1@${manifest}`],
    [`docker://r.example.com/web@sha256:${"b".repeat(64)}`, `perigee fetch docker://r.example.com/web@${manifest}`],
    [`docker://r.example.com:5000/web:1@${manifest}`, `perigee fetch docker://r.example.com:5000/web:1@${manifest}`],
    ["oci:/images/web:1", "perigee fetch oci:/images/web:1"],
    [lostSource, `perigee image rm ${short}, then fetch it from where it was`],
  ];
  for (const [source, hint] of cases) {
    it(`${source}: ${hint.slice(0, 20)}…`, () => {
      assert.equal(fetchAgain({ id, source, oci }), hint);
      const isLost = source === lostSource;
      assert.equal(
        verifyAndFetchAgain({ id, source, oci }),
        isLost ? hint : `perigee image verify ${short}, then ${hint}`,
      );
    });
  }
  it("an App Container Image is fetched as it was", () => {
    assert.equal(fetchAgain({ id, source: "https://e.example/a.aci" }), "perigee fetch https://e.example/a.aci");
  });
});
