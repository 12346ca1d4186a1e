import assert from "node:assert/strict";
import { it } from "node:test";
import { parseChallenge } from "../../src/oci/challenge.ts";

it("OCI-62: what a registry asks for is read in any order, quoted or not", () => {
  const realm = "https://auth.example.com/token";
  const bearer = { kind: "bearer", realm, service: "r" };
  const cases: readonly (readonly [string | undefined, unknown])[] = [
    [`Bearer realm="${realm}",service="r",scope="repository:a:pull"`, bearer],
    [`bearer service=r, scope="a,b", realm=${realm}`, bearer],
    [`Bearer realm="${realm}"`, { ...bearer, service: undefined }],
    ['Basic realm="x"', { kind: "basic" }],
    ["Basic", { kind: "basic" }],
    ["Bearer", undefined],
    ["Negotiate", undefined],
    ["", undefined],
    [undefined, undefined],
    [`Bearer ${"x=".repeat(100_000)}`, undefined],
  ];
  for (const [header, expected] of cases) assert.deepEqual(parseChallenge(header), expected, header?.slice(0, 60));
});
