import assert from "node:assert/strict";
import { it } from "node:test";
import { algorithmOf, isDigest, parseDigest } from "../../src/oci/digest.ts";
import { fails } from "../helpers/failures.ts";

it("OCI-3, T-D17: a digest is sha256 or sha512 in lower-case hex of the right length, and nothing else becomes a path", () => {
  const good = [`sha256:${"0".repeat(64)}`, `sha512:${"f".repeat(128)}`] as const;
  for (const text of good) assert.equal(parseDigest(text, "x"), text);
  assert.deepEqual(
    good.map((text) => (isDigest(text) ? algorithmOf(text) : "")),
    ["sha256", "sha512"],
  );
  const bad = [
    `sha256:${"A".repeat(64)}`,
    `sha256:${"0".repeat(63)}`,
    `sha256:${"0".repeat(65)}`,
    `sha512:${"0".repeat(64)}`,
    `md5:${"0".repeat(32)}`,
    `sha256:../../${"0".repeat(58)}`,
    `sha256:${"0".repeat(64)}\n`,
    "../../etc/passwd",
    "",
    7,
    null,
    undefined,
  ];
  for (const text of bad) assert.throws(() => parseDigest(text, "x"), fails("IMAGE_INVALID", /digest/), String(text));
});
