import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  algorithmName,
  clockSkew,
  digestName,
  keyWarning,
  keyWeakness,
  refusedDigestName,
  untimely,
} from "../../src/trust/policy.ts";

describe("digests (T-S06, T-S07, TRUST-9)", () => {
  it("are SHA-256, SHA-384 and SHA-512", () => {
    const accepted = Array.from({ length: 256 }, (_, id) => digestName(id)).filter((name) => name !== undefined);
    assert.deepEqual(accepted, ["sha256", "sha384", "sha512"]);
  });
  it("that are refused have a name", () => {
    assert.deepEqual([1, 2, 3, 11, 99].map(refusedDigestName), [
      "MD5",
      "SHA-1",
      "RIPEMD-160",
      "SHA-224",
      "algorithm 99",
    ]);
  });
});

describe("key algorithms (T-S05, TRUST-10)", () => {
  const cases: readonly (readonly [
    string,
    { algorithm: string; bits?: number; curve?: string },
    "ok" | "warned" | "refused",
  ])[] = [
    ["rsa1024", { algorithm: "rsaEncryptSign", bits: 1024 }, "refused"],
    ["rsa2047", { algorithm: "rsaSign", bits: 2047 }, "refused"],
    ["rsa2048", { algorithm: "rsaEncryptSign", bits: 2048 }, "warned"],
    ["rsa3071", { algorithm: "rsaEncryptSign", bits: 3071 }, "warned"],
    ["rsa3072", { algorithm: "rsaEncryptSign", bits: 3072 }, "ok"],
    ["dsa2048", { algorithm: "dsa", bits: 2048 }, "refused"],
    ["elgamal4096", { algorithm: "elgamal", bits: 4096 }, "refused"],
    ["ed25519", { algorithm: "eddsaLegacy", curve: "ed25519Legacy" }, "ok"],
    ["ed25519", { algorithm: "ed25519" }, "ok"],
    ["nistp256", { algorithm: "ecdsa", curve: "nistP256" }, "ok"],
    ["secp256k1", { algorithm: "ecdsa", curve: "secp256k1" }, "refused"],
    ["ecdh", { algorithm: "ecdh" }, "refused"],
  ];
  for (const [name, key, verdict] of cases) {
    it(`${name} is ${verdict}`, () => {
      assert.equal(algorithmName(key), name);
      const actual = keyWeakness(key) !== undefined ? "refused" : keyWarning(key) !== undefined ? "warned" : "ok";
      assert.equal(actual, verdict);
    });
  }
});

describe("times (T-S10, T-S11, TRUST-14)", () => {
  const now = new Date("2026-06-01T00:00:00Z");
  const at = (milliseconds: number) => new Date(now.getTime() + milliseconds);
  const times = { created: at(-1000), expires: Infinity, keyCreated: at(-1000) };
  it("count at their limits and not beyond", () => {
    assert.equal(untimely(times, now), undefined);
    assert.equal(untimely({ ...times, created: at(clockSkew) }, now), undefined);
    assert.match(untimely({ ...times, created: at(clockSkew + 1000) }, now) ?? "", /future/);
    assert.equal(untimely({ ...times, expires: at(1).getTime() }, now), undefined);
    assert.match(untimely({ ...times, expires: now.getTime() }, now) ?? "", /expired/);
    assert.match(untimely({ ...times, keyCreated: now }, now) ?? "", /older/);
  });
});
